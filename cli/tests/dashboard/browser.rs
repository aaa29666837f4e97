//! A real Chromium without a window, driven by WebDriver.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::error::{WebDriverError, WebDriverErrorInner};
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::runtime::Runtime;

/// Nothing takes longer, however busy the machine is.
const WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How large a window is, and in which colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Desktop,
    Dark,
    Phone,
}

impl Look {
    pub(crate) const ALL: [Look; 3] = [Look::Desktop, Look::Dark, Look::Phone];

    fn name(self) -> &'static str {
        match self {
            Look::Desktop => "desktop",
            Look::Dark => "dark",
            Look::Phone => "phone",
        }
    }

    fn size(self) -> (u32, u32) {
        match self {
            Look::Desktop | Look::Dark => (1280, 900),
            Look::Phone => (390, 844),
        }
    }
}

/// A browser with one tab. Dropped, it ends.
pub(crate) struct Browser {
    runtime: Runtime,
    driver: WebDriver,
    process: Child,
    look: Look,
    /// Where the pages are.
    address: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let driver = self.driver.clone();
        // One that died has nothing to end.
        let _ = self.runtime.block_on(driver.quit());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_stale(error: &WebDriverError) -> bool {
    matches!(error.as_inner(), WebDriverErrorInner::StaleElementReference(_))
}

impl Browser {
    /// Opens one to look at the pages of a server.
    pub(crate) fn open(address: &str, look: Look) -> Browser {
        let (process, port) = start_driver();
        let runtime = Runtime::new().unwrap();
        let driver = runtime
            .block_on(WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities(look)))
            .unwrap();
        let browser = Browser { runtime, driver, process, look, address: address.to_owned() };
        let (width, height) = look.size();
        // A window has a least width; what a page believes to have can be less.
        browser.command(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": look == Look::Phone }),
        );
        browser
    }

    fn command(&self, name: &str, parameters: Value) {
        self.runtime.block_on(self.driver.cdp().send_raw(name, parameters)).unwrap();
    }

    /// Goes to a page of the server.
    pub(crate) fn go(&self, path: &str) {
        self.runtime.block_on(self.driver.goto(format!("{}{path}", self.address))).unwrap();
    }

    /// The path of the page, with everything behind it.
    pub(crate) fn path(&self) -> String {
        let address = self.runtime.block_on(self.driver.current_url()).unwrap().to_string();
        address.strip_prefix(&self.address).unwrap_or(&address).to_owned()
    }

    /// The value of a script's `return`.
    pub(crate) fn run(&self, script: &str) -> Value {
        let run = self.driver.execute(script.to_owned(), Vec::new());
        self.runtime
            .block_on(run)
            .unwrap_or_else(|error| panic!("{script}: {error}"))
            .json()
            .clone()
    }

    /// What an asynchronous script returns.
    pub(crate) fn run_later(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async () => {{ {script} }})().then(done, (error) => done(`failed: ${{error}}`))"
        );
        let run = self.driver.execute_async(script, Vec::new());
        self.runtime.block_on(run).unwrap().json().clone()
    }

    /// The text that is to be read in an element.
    pub(crate) fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(selector));
        self.run(&script).as_str().unwrap().to_owned()
    }

    /// Clicks on an element, as a person does: on the one that is there, if the page has just put a
    /// new one in its place.
    pub(crate) fn click(&self, selector: &str) {
        let begun = Instant::now();
        let click = async || {
            let element = self.driver.find(By::Css(selector)).await?;
            element.scroll_into_view().await?;
            element.click().await
        };
        loop {
            match self.runtime.block_on(click()) {
                Err(error) if is_stale(&error) && begun.elapsed() < WITHIN => {}
                clicked => return clicked.unwrap(),
            }
        }
    }

    /// Types into an element, and presses Enter if the text ends with a line.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.runtime.block_on(async {
            let element = self.driver.find(By::Css(selector)).await.unwrap();
            element.clear().await.unwrap();
            element.send_keys(text.trim_end()).await.unwrap();
            if text.ends_with('\n') {
                element.send_keys(Key::Enter + "").await.unwrap();
            }
        });
    }

    /// Puts a text in place of what a field holds, as one pastes.
    pub(crate) fn paste(&self, id: &str, text: &str) {
        let (id, text) = (json!(id), json!(text));
        self.run(&format!(
            "const it = document.getElementById({id}); it.focus(); it.select(); \
             document.execCommand('insertText', false, {text})"
        ));
    }

    /// Presses a key where the page has the focus.
    pub(crate) fn press(&self, key: &str) {
        let press = self.driver.action_chain().send_keys(key);
        self.runtime.block_on(press.perform()).unwrap();
    }

    /// Drags within an element, from one part of its width to another.
    pub(crate) fn drag(&self, selector: &str, from: f64, to: f64) {
        self.runtime.block_on(async {
            let element = self.driver.find(By::Css(selector)).await.unwrap();
            element.scroll_into_view().await.unwrap();
            let size = element.rect().await.unwrap();
            // Counted from the middle.
            let at = |part: f64| ((part - 0.5) * size.width) as i64;
            let drag = self.driver.action_chain();
            let drag = drag.move_to_element_with_offset(&element, at(from), 0).click_and_hold();
            let drag = drag.move_to_element_with_offset(&element, at(to), 0).release();
            drag.perform().await.unwrap();
        });
    }

    /// Waits until a script returns true or an element.
    #[track_caller]
    pub(crate) fn wait(&self, script: &str) {
        let begun = Instant::now();
        loop {
            let told = self.run(script);
            if matches!(told, Value::Bool(true) | Value::Object(_)) {
                return;
            }
            assert!(begun.elapsed() < WITHIN, "never: {script}\n{}", self.text("body"));
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until an element shows a text.
    #[track_caller]
    pub(crate) fn wait_text(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.wait(&format!(
            "return document.querySelector({selector})?.innerText.includes({text}) ?? false"
        ));
    }

    /// Keeps a picture of the page, and checks what holds for every page: nothing went wrong in
    /// it, nothing came from elsewhere, nothing is wider than the window, and everybody can use it.
    #[track_caller]
    pub(crate) fn check(&self, name: &str) {
        self.keep_picture(name);
        self.check_quiet();
        let foreign = self.run(
            "return performance.getEntriesByType('resource').map((entry) => entry.name) \
             .filter((name) => !name.startsWith(location.origin))",
        );
        assert_eq!(foreign, json!([]), "{name}");
        let wide = self.run(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        assert!(wide.as_i64().unwrap() <= 0, "{name} is {wide} pixels too wide: {:?}", self.look);
        assert_eq!(self.barriers(), json!([]), "{name} {:?}", self.look);
    }

    fn keep_picture(&self, name: &str) {
        let folder = screenshots();
        let path = folder.join(format!("{name}-{}.png", self.look.name()));
        self.runtime.block_on(self.driver.screenshot(&path)).unwrap();
    }

    /// Fails if the browser had anything to complain about since it was asked last.
    #[track_caller]
    pub(crate) fn check_quiet(&self) {
        let said = self.complaints();
        assert!(said.is_empty(), "{said:?}");
    }

    /// What the browser complained about since it was asked last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.runtime.block_on(self.driver.browser_log()).unwrap();
        log.into_iter().map(|entry| entry.message).collect()
    }

    /// What axe finds that keeps people from using the page.
    fn barriers(&self) -> Value {
        let Some(axe) = crate::axe::script() else { return json!([]) };
        self.run(axe);
        let look = "const done = arguments[arguments.length - 1]; \
            axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done( \
                violations.filter(({ impact }) => impact === 'serious' || impact === 'critical') \
                .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html).slice(0, 3).join(' ')}`)))";
        let found = self.driver.execute_async(look, Vec::new());
        self.runtime.block_on(found).unwrap().json().clone()
    }
}

/// Pictures of pages, kept to be looked at.
fn screenshots() -> PathBuf {
    let folder = crate::common::project_file("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The driver takes a free port of one address family, and ends if another process has the same one of
/// the other.
const DRIVER_TRIES: usize = 5;

fn start_driver() -> (Child, u16) {
    let mut said = String::new();
    for _ in 0..DRIVER_TRIES {
        match try_to_start_driver() {
            Ok(started) => return started,
            Err(told) => said = told,
        }
    }
    panic!("chromedriver does not start; it says: {said}");
}

/// The driver and its port, or what it says when it ends without one.
fn try_to_start_driver() -> Result<(Child, u16), String> {
    let mut process = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("chromedriver: {error}; Debian: apt-get install chromium chromium-driver")
        });
    let mut said = String::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let port = line.strip_prefix("ChromeDriver was started successfully on port ");
        if let Some(port) = port.and_then(|port| port.trim_end_matches('.').parse().ok()) {
            return Ok((process, port));
        }
        said.push_str(&line);
    }
    process.wait().unwrap();
    Err(said)
}

fn capabilities(look: Look) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let arguments = [
        "--headless=new",
        // Tests may run as root, and nothing foreign is looked at.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
    ];
    for argument in arguments {
        capabilities.add_arg(argument).unwrap();
    }
    if look == Look::Dark {
        capabilities.add_arg("--force-dark-mode").unwrap();
    }
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::Warning).unwrap();
    capabilities
}
