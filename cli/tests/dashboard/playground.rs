//! The playground: rules and lines in the browser, and what comes of them as one types.

use serde_json::{Value, json};
use statetrail_playground::Desk;

use crate::browser::{Browser, Look};
use crate::common::project_file;
use crate::serving::{Log, Serving};

fn open(serving: &Serving, look: Look) -> Browser {
    let browser = Browser::open(&serving.address, look);
    browser.go("/playground/");
    browser.wait_text("#rules-status", "3 rules, no fault");
    browser
}

fn value(browser: &Browser, editor: &str) -> String {
    let text = browser.run(&format!("return document.getElementById({}).value", json!(editor)));
    text.as_str().unwrap().to_owned()
}

fn requests(browser: &Browser) -> Value {
    browser.run("return performance.getEntriesByType('resource').length")
}

#[test]
fn the_example_is_whole_in_every_look() {
    let serving = Serving::start(Log::new());
    for look in Look::ALL {
        let browser = open(&serving, look);
        browser.wait_text("#answer", "parcel/P-100 taken-in");
        browser.check("playground");
        for (tab, there) in
            [("states", "handed-over"), ("counts", "taken-in"), ("left", "checked in")]
        {
            browser.click(&format!("#tab-{tab}"));
            browser.wait_text("#answer", there);
            browser.check(&format!("playground-{tab}"));
        }
    }
    // From the dashboard, and without the slash.
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/");
    browser.click("header nav a[href='/playground/']");
    browser.wait_text("#rules-status", "no fault");
    browser.go("/playground");
    browser.wait_text("#rules-status", "no fault");
}

#[test]
fn what_was_closed_stays_closed_and_a_fault_far_to_the_right_is_shown() {
    let serving = Serving::start(Log::new());
    let browser = open(&serving, Look::Desktop);
    browser.click("#tab-states");
    browser.wait_text("#answer", "handed-over");
    let first = "document.querySelector('#answer details')";
    browser.click("#answer details summary");
    browser.wait(&format!("return {first}.open === false"));
    let lines = value(&browser, "lines");
    browser.paste("lines", &format!("{lines}\n2026-11-22 parcel P-777 loaded on van V-9\n"));
    browser.wait_text("#answer", "P-777");
    assert_eq!(browser.run(&format!("return {first}.open")), json!(false));
    assert_eq!(
        browser.run("return document.querySelectorAll('#answer details[open]').length > 0"),
        json!(true)
    );

    let rules = value(&browser, "rules");
    let long = format!("match: '{}", "x".repeat(400));
    browser
        .paste("rules", &rules.replacen("match: '", &long, 1).replacen(":number>", ":numbr>", 1));
    browser.wait_text("#faults", "numbr");
    browser.click("#faults button");
    browser.wait("return document.getElementById('rules').scrollLeft > 0");
}

#[test]
fn faults_and_captures_are_marked_where_they_are() {
    let serving = Serving::start(Log::new());
    let browser = open(&serving, Look::Desktop);
    let before = requests(&browser);
    let rules = value(&browser, "rules");
    browser.paste("rules", &rules.replace("weight:number", "weight:numbr"));
    browser.wait_text("#faults", "number");
    browser
        .wait("return document.querySelector('#rules-editor mark.error')?.textContent === 'numbr'");
    browser.wait_text("#rules-status", "the last rules that could be used are in force");
    browser.wait_text("#lines-status", "9 of 14 lines taken");
    browser.check("playground-fault");
    // A click on the fault puts the caret there.
    browser.click("#faults button");
    let selected = browser.run(
        "const it = document.getElementById('rules'); return it.value.slice(it.selectionStart, it.selectionEnd)",
    );
    assert_eq!(selected, json!("numbr"));
    browser.paste("rules", &rules);
    browser.wait_text("#rules-status", "3 rules, no fault");
    browser.wait("return document.querySelectorAll('#faults li').length === 0");
    let marked = "return [...document.querySelectorAll('#lines-editor .under .row')][0] \
        ?.querySelectorAll('mark').length === 3 \
        && [...document.querySelectorAll('#lines-editor mark')].slice(0, 3) \
        .map((it) => it.textContent).join() === 'P-100,Linz,2.5'";
    browser.wait(marked);
    // Wider characters before a capture do not move its mark.
    browser.paste(
        "lines",
        "\u{1f642} parcel P-1 loaded on van V\nparcel P-9 loaded on plane\n<b>x</b>",
    );
    browser.wait(
        "return [...document.querySelectorAll('#lines-editor mark.r1')].map((it) => it.textContent).join() === 'P-1,V'",
    );
    // Where the nearest rule stops.
    browser.run(
        "const it = document.getElementById('lines'); it.focus(); it.setSelectionRange(40, 40)",
    );
    browser.wait_text("#answer", "The nearest is loaded");
    browser
        .wait("return document.querySelector('#lines-editor mark.stop')?.textContent === 'plane'");
    browser.check("playground-near");
    assert_eq!(requests(&browser), before, "typing asks nobody");
    browser.check_quiet();
}

#[test]
fn a_line_becomes_a_sample_and_rules_are_proposed() {
    let serving = Serving::start(Log::new());
    let browser = open(&serving, Look::Desktop);
    let before = requests(&browser);
    browser.run(
        "const it = document.getElementById('lines'); it.focus(); it.setSelectionRange(60, 60)",
    );
    browser.wait_text("#answer", "P-101");
    browser.click("#add-sample");
    browser.wait(
        "return document.getElementById('rules').value.includes(\"'08:01:40 INFO parcel P-101 taken in\")",
    );
    browser.wait_text("#rules-status", "3 rules, no fault");
    let lines: String = (1..60)
        .map(|number| {
            format!(
                "10:00 job j-{number:03} queued by ann\n10:01 job j-{number:03} started on node-{}\n\
                 10:02 job j-{number:03} ended with code 0\n",
                number % 4
            )
        })
        .collect();
    browser.paste("lines", &lines);
    browser.wait_text("#lines-status", "0 of 177 lines");
    browser.click("#suggest");
    browser.wait("return document.querySelector('#answer .choices button')");
    browser.click("#answer .choices button");
    browser.wait_text("#lines-status", "177 of 177 lines taken");
    browser.wait_text("#rules-status", "no fault");
    browser.wait_text("#answer", "job/j-001");
    browser.check("playground-suggested");
    let suggested = value(&browser, "rules");
    browser.paste("rules", &suggested.replace("    emit:", "    emit:   "));
    browser.click("#format");
    browser
        .wait(&format!("return document.getElementById('rules').value === {}", json!(suggested)));
    assert_eq!(requests(&browser), before, "nobody is asked");
}

#[test]
fn a_link_holds_rules_and_lines() {
    let serving = Serving::start(Log::new());
    let browser = open(&serving, Look::Desktop);
    let rules = value(&browser, "rules").replace("parcels", "päckchen");
    browser.paste("rules", &rules);
    browser.paste("lines", "parcel P-7 loaded on van 🙂\n");
    browser.wait_text("#lines-status", "1 of 1 line taken");
    browser.click("#share");
    browser.wait("return location.hash.startsWith('#1.')");
    let link = browser.path();
    let other = Browser::open(&serving.address, Look::Desktop);
    other.go(&link);
    other.wait_text("#lines-status", "1 of 1 line taken");
    assert_eq!(
        (value(&other, "rules"), &*value(&other, "lines")),
        (rules, "parcel P-7 loaded on van 🙂\n")
    );
    // A link that was cut off, followed from the open page, takes nothing away.
    other.run("location.hash = '1.abcd'");
    other.wait_text("#notice", "damaged");
    assert_eq!(value(&other, "lines"), "parcel P-7 loaded on van 🙂\n");
    other.check_quiet();
}

/// The engine in the browser beside the native one, over every line of every shipped rule file.
#[test]
fn the_browser_gives_what_the_native_engine_gives() {
    let serving = Serving::start(Log::new());
    let browser = open(&serving, Look::Desktop);
    let mut files = 0;
    for entry in std::fs::read_dir(project_file("fluent-bit/rules")).unwrap() {
        let rules = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let file: Value = serde_saphyr::from_str(&rules).unwrap();
        let samples = file["rules"].as_array().unwrap().iter();
        let samples = samples.flat_map(|rule| rule["samples"].as_array().unwrap());
        let lines: Vec<&str> = samples.map(|sample| sample["line"].as_str().unwrap()).collect();
        let mut desk = Desk::default();
        let mut native = vec![serde_json::to_value(desk.set_rules(&rules)).unwrap()];
        desk.set_lines(&lines.join("\n"));
        native.push(serde_json::to_value(desk.run()).unwrap());
        native.extend((0..lines.len()).map(|it| serde_json::to_value(desk.line(it)).unwrap()));
        let in_browser = browser.run_later(&format!(
            "const {{ default: init, Playground }} = await import('/playground/statetrail_playground.js'); \
             await init(); const it = new Playground(); const all = [it.set_rules({})]; it.set_lines({}); \
             all.push(it.run()); for (let n = 0; n < {}; n++) all.push(it.line(n)); \
             return all",
            json!(rules),
            json!(lines.join("\n")),
            lines.len()
        ));
        let in_browser = in_browser.as_array().unwrap();
        assert_eq!(in_browser.len(), native.len());
        for (ours, theirs) in native.iter().zip(in_browser) {
            let theirs: Value = serde_json::from_str(theirs.as_str().unwrap()).unwrap();
            assert_eq!(*ours, theirs);
        }
        assert!(native[1]["matched"].as_u64().unwrap() > 0, "{rules}");
        files += 1;
    }
    assert!(files >= 15, "{files} files");
}
