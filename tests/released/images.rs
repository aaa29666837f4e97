//! The images, built by buildah from the shipped Dockerfile: only the stages that need a base image
//! are replaced, by folders that the same scripts fill. Their programs run in a chroot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use statetrail_k8s_check::{project_folder, succeed};

use crate::binaries::{Released, released, said};

/// Nobody, by the number in the Dockerfile.
const USER: &str = "65532:65532";

/// Images in a folder of their own.
struct Images {
    folder: tempfile::TempDir,
}

/// Says loudly when they cannot be built.
fn images() -> Result<Option<Images>> {
    let id = succeed(Command::new("id").arg("-u"))?;
    if id.trim() != "0" || Command::new("buildah").arg("--version").output().is_err() {
        eprintln!("NOT TESTED: building images takes root and buildah");
        return Ok(None);
    }
    Ok(Some(Images { folder: tempfile::tempdir()? }))
}

impl Images {
    fn buildah(&self) -> Command {
        let mut buildah = Command::new("buildah");
        // `vfs` needs nothing of the kernel.
        buildah.args(["--storage-driver", "vfs"]);
        buildah.arg("--root").arg(self.folder.path().join("storage"));
        buildah.arg("--runroot").arg(self.folder.path().join("run"));
        buildah
    }

    /// Builds an image with these files, and returns its id.
    fn build(&self, target: &str, files: &Path) -> Result<String> {
        let mut build = self.buildah();
        build.args(["build", "--quiet", "--isolation", "chroot", "--timestamp", "0", "--no-cache"]);
        build.args(["-f", "images/Dockerfile", "--target", target]);
        build.arg(format!("--build-context={target}-files={}", files.display()));
        Ok(succeed(build.arg(".").current_dir(project_folder()))?.trim().to_owned())
    }

    /// Its files, in a folder.
    fn mount(&self, image: &str) -> Result<PathBuf> {
        let container = succeed(self.buildah().args(["from", image]))?;
        Ok(succeed(self.buildah().args(["mount", container.trim()]))?.trim().into())
    }

    /// What an image's description says at a place.
    fn about(&self, image: &str, place: &str) -> Result<String> {
        let format = format!("{{{{{place}}}}}");
        let mut inspect = self.buildah();
        Ok(succeed(inspect.args(["inspect", "--type", "image", "--format", &format, image]))?
            .trim()
            .to_owned())
    }

    fn files(&self, name: &str, fill: impl Fn(&Path) -> Result<()>) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        fill(&folder.join("rootfs"))?;
        Ok(folder)
    }
}

fn programs(root: &Path, binaries: &[&Path]) -> Result<()> {
    let script = project_folder().join("images/rootfs");
    succeed(Command::new(script).arg(root).args(binaries)).map(drop)
}

fn filter(root: &Path, released: &Released) -> Result<()> {
    let script = project_folder().join("images/filter-rootfs");
    succeed(Command::new(script).arg(root).arg(&released.filter).arg(&released.copy)).map(drop)
}

/// Runs a program in there as the image's user, with nothing but its own files.
fn run(root: &Path, words: &[&str]) -> Result<Output> {
    let mut chroot = Command::new("chroot");
    chroot.arg(format!("--userspec={USER}")).arg(root).args(words);
    chroot.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    chroot.output().with_context(|| format!("cannot run {words:?}"))
}

fn bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { bytes(&entry.path())? } else { about.len() };
    }
    Ok(sum)
}

#[test]
fn the_sink_runs_in_its_image() -> Result<()> {
    let Some(images) = images()? else { return Ok(()) };
    let files = images.files("sink", |root| programs(root, &[&released()?.sink]))?;
    let image = images.build("sink", &files)?;
    ensure!(images.about(&image, ".OCIv1.Config.User")? == USER);
    let labels = images.about(&image, ".OCIv1.Config.Labels")?;
    ensure!(labels.contains("org.opencontainers.image.licenses:Apache-2.0"), "{labels}");
    ensure!(images.about(&image, ".OCIv1.Config.Entrypoint")? == "[/usr/bin/statetrail-sink]");
    let root = images.mount(&image)?;
    let size = bytes(&root)?;
    println!("{size} bytes unpacked");
    ensure!(size < 25_000_000, "{size} bytes");
    let sink = "/usr/bin/statetrail-sink";
    let version = run(&root, &[sink, "--version"])?;
    ensure!(version.status.success(), "{}", said(&version));
    // It finds hosts by their names, and trusts whom the image says; what is missing is the broker.
    fs::write(root.join("etc/hosts"), "127.0.0.1 broker.test\n")?;
    let words =
        ["--store=cassandra://broker.test:9/trail", "--kafka-topics=t", "--check-connections"];
    let words =
        [&[sink, "--kafka-brokers=broker.test:9", "--startup-timeout=1s"], &words[..]].concat();
    let unreached = run(&root, &words)?;
    ensure!(unreached.status.code() == Some(10), "{}", said(&unreached));
    ensure!(said(&unreached).contains("refused"), "{}", said(&unreached));
    Ok(())
}

#[test]
fn statetrail_and_the_shop_run_in_their_image() -> Result<()> {
    let Some(images) = images()? else { return Ok(()) };
    let binaries = released()?;
    let files = images
        .files("statetrail", |root| programs(root, &[&binaries.statetrail, &binaries.shop]))?;
    let root = images.mount(&images.build("statetrail", &files)?)?;
    println!("{} bytes unpacked", bytes(&root)?);
    // What the image's user may write to is what is mounted.
    let logs = root.join("logs");
    fs::create_dir(&logs)?;
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o777))?;
    let shop = run(&root, &["/usr/bin/statetrail-shop", "/logs", "--lines", "100"])?;
    ensure!(shop.status.success(), "{}", said(&shop));
    fs::copy(project_folder().join("fluent-bit/rules/shop.yaml"), root.join("logs/shop.yaml"))?;
    let mut names = Vec::new();
    for log in fs::read_dir(&logs)? {
        names.push(format!("/logs/{}", log?.file_name().display()));
    }
    names.retain(|name| name.ends_with(".log"));
    let store = "--store=sqlite:/logs/trail.db";
    let import = ["/usr/bin/statetrail", "import", store, "--rules", "/logs/shop.yaml"];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let import = run(&root, &[&import[..], &names].concat())?;
    ensure!(import.status.success(), "{}", said(&import));
    let listed = run(&root, &["/usr/bin/statetrail", "ls", "shop/", store])?;
    ensure!(listed.status.success() && said(&listed).contains("shop/item/"), "{}", said(&listed));
    let elsewhere = run(&root, &["/usr/bin/statetrail-shop", "/other", "--lines", "100"])?;
    ensure!(!elsewhere.status.success(), "it can write into its image");
    Ok(())
}

#[test]
fn the_filters_image_holds_filter_and_rules_and_copies_them() -> Result<()> {
    let Some(images) = images()? else { return Ok(()) };
    let binaries = released()?;
    let files = images.files("filter", |root| filter(root, binaries))?;
    let image = images.build("filter", &files)?;
    // The same files give the same image, bit for bit.
    ensure!(images.build("filter", &files)? == image, "another image comes of the same files");
    let root = images.mount(&image)?;
    let folder = root.join("etc/statetrail");
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let copied = run(&root, &["/copy", "/etc/statetrail"])?;
    ensure!(copied.status.success(), "{}", said(&copied));
    let module = fs::read(folder.join("statetrail_filter.wasm"))?;
    ensure!(module == fs::read(&binaries.filter)?);
    let rules = fs::read_dir(folder.join("rules"))?.count();
    let shipped = fs::read_dir(project_folder().join("fluent-bit/rules"))?.count();
    ensure!(rules == shipped - 1, "{rules} of {shipped} rule files, all but the sample shop's");
    let nowhere = run(&root, &["/copy"])?;
    ensure!(nowhere.status.code() == Some(2), "{}", said(&nowhere));
    Ok(())
}
