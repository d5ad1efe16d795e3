//! One Chromium for a test: pages are found and used by role, name and label, as a person would.
//!
//! The driver is `tests/browser/run.mjs` (playwright-core). A page costs half a second: prefer few pages and many steps.

use crate::client::Client;
use crate::process::{Process, repository, target_folder};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A running Chromium.
pub struct Browser {
    driver: Rc<RefCell<Driver>>,
}

/// One page in a context of its own: cookies, storage and theme are nobody else's.
pub struct Page {
    driver: Rc<RefCell<Driver>>,
    key: String,
    name: String,
}

struct Driver {
    process: Process,
    stdin: ChildStdin,
    count: u64,
}

impl Browser {
    pub fn start() -> Self {
        let folder = repository().join("tests/browser");
        assert!(
            folder.join("node_modules/playwright-core").is_dir(),
            "the browser driver is not installed: `npm ci` in {}",
            folder.display()
        );
        crate::component::program("chromium", &["/usr/bin/chromium"]);
        let mut command = Command::new("node");
        command.arg("run.mjs").current_dir(folder).stdin(Stdio::piped());
        let mut process = Process::start("browser driver", command, Signal::SIGTERM);
        let stdin = process.stdin().expect("a standard input");
        let line = process.line(START_LIMIT);
        assert!(line.contains("ready"), "the browser driver said: {line}");
        Self { driver: Rc::new(RefCell::new(Driver { process, stdin, count: 0 })) }
    }

    /// A page of a stranger, 1440 x 900, light.
    pub fn page(&self, base: &str) -> Page {
        self.open(base, &[])
    }

    /// A page that goes on with this caller's session.
    pub fn page_of(&self, client: &Client) -> Page {
        self.open(client.url(), &client.cookies())
    }

    fn open(&self, base: &str, cookies: &[(String, String)]) -> Page {
        let command = json!({"do": "open", "base": base, "cookies": cookies, "width": 1440, "height": 900, "theme": "light"});
        let key = self.driver.borrow_mut().ask(command).unwrap_or_else(|why| panic!("no page: {why}"));
        let name = std::thread::current().name().unwrap_or("page").replace("::", "-");
        Page { driver: self.driver.clone(), key: key.as_str().unwrap_or_default().to_owned(), name }
    }
}

impl Driver {
    fn ask(&mut self, mut command: Value) -> Result<Value, String> {
        self.count += 1;
        command["id"] = json!(self.count);
        writeln!(self.stdin, "{command}").map_err(|why| format!("{why}; the driver's stderr:\n{}", self.process.stderr()))?;
        let line = self.process.line(ANSWER_LIMIT);
        let answer: Value = serde_json::from_str(&line).map_err(|why| format!("{why}: {line}"))?;
        if answer["ok"] == true { Ok(answer["value"].clone()) } else { Err(answer["error"].as_str().unwrap_or(&line).to_owned()) }
    }
}

impl Page {
    #[track_caller]
    fn ask(&self, what: &str, mut command: Value) -> Value {
        command["do"] = json!(what);
        command["page"] = json!(self.key);
        let answer = self.driver.borrow_mut().ask(command.clone());
        answer.unwrap_or_else(|why| {
            let shot = self.screenshot_path("failed");
            let shown = json!({"do": "screenshot", "page": self.key, "path": shot});
            let seen = match self.driver.borrow_mut().ask(shown) {
                Ok(_) => format!("screenshot: {}", shot.display()),
                Err(_) => "no screenshot".to_owned(),
            };
            let text = self.driver.borrow_mut().ask(json!({"do": "allText", "page": self.key})).unwrap_or_default();
            panic!("{command}: {why}\n{seen}\n--- the page says\n{}", text.as_str().unwrap_or_default())
        })
    }

    /// Opens an address of this server; returns the status.
    #[track_caller]
    pub fn goto(&self, path: &str) -> u64 {
        self.ask("goto", json!({"url": path})).as_u64().unwrap_or(0)
    }

    #[track_caller]
    pub fn reload(&self) {
        self.ask("reload", json!({}));
    }

    pub fn url(&self) -> String {
        self.string("url", json!({}))
    }

    pub fn title(&self) -> String {
        self.string("title", json!({}))
    }

    /// Clicks the one element of this role and name (`"button"`, `"Approve"`).
    #[track_caller]
    pub fn click(&self, role: &str, name: &str) {
        self.ask("click", json!({"role": role, "name": name}));
    }

    /// The same inside of another element (`"region"`, `"production"`).
    #[track_caller]
    pub fn click_in(&self, within: (&str, &str), role: &str, name: &str) {
        self.ask("click", json!({"role": role, "name": name, "within": {"role": within.0, "name": within.1}}));
    }

    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        self.ask("fill", json!({"label": label, "text": text}));
    }

    #[track_caller]
    pub fn select(&self, label: &str, text: &str) {
        self.ask("select", json!({"label": label, "text": text}));
    }

    #[track_caller]
    pub fn check(&self, label: &str, on: bool) {
        self.ask("check", json!({"label": label, "on": on}));
    }

    /// A key or a combination (`"a"`, `"Enter"`, `"Control+K"`).
    #[track_caller]
    pub fn press(&self, key: &str) {
        self.ask("press", json!({"key": key}));
    }

    /// Types into whatever has the focus.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.ask("type", json!({"text": text}));
    }

    /// Waits until this text is visible.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.ask("seesText", json!({"text": text}));
    }

    /// The same with a limit of one's own, for what happens after a while.
    #[track_caller]
    pub fn sees_within(&self, text: &str, limit: Duration) {
        self.ask("seesText", json!({"text": text, "limit": u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)}));
    }

    /// Waits until this text is not visible.
    #[track_caller]
    pub fn sees_no(&self, text: &str) {
        self.ask("seesNoText", json!({"text": text}));
    }

    /// Waits until an element of this role and name is visible.
    #[track_caller]
    pub fn sees_element(&self, role: &str, name: &str) {
        self.ask("sees", json!({"role": role, "name": name}));
    }

    /// How many elements of this role there are, by name or all.
    #[track_caller]
    pub fn count(&self, role: &str, name: Option<&str>) -> u64 {
        self.ask("count", json!({"role": role, "name": name})).as_u64().unwrap_or(0)
    }

    /// The visible text of the first element of this role and name.
    #[track_caller]
    pub fn text(&self, role: &str, name: Option<&str>) -> String {
        self.string("text", json!({"role": role, "name": name}))
    }

    /// All visible text.
    pub fn all_text(&self) -> String {
        self.string("allText", json!({}))
    }

    #[track_caller]
    pub fn is_disabled(&self, role: &str, name: &str) -> bool {
        self.ask("disabled", json!({"role": role, "name": name})) == true
    }

    /// What describes an element: why a button is disabled.
    #[track_caller]
    pub fn description(&self, role: &str, name: &str) -> String {
        self.string("described", json!({"role": role, "name": name}))
    }

    /// Presses Tab until the element of this name has the focus, as somebody without a mouse does.
    #[track_caller]
    pub fn tab_to(&self, name: &str, limit: usize) {
        let mut passed = Vec::new();
        for _ in 0..limit {
            let focused = self.focused();
            if focused == name {
                return;
            }
            passed.push(focused);
            self.press("Tab");
        }
        panic!("{name:?} is not reached by Tab, but {passed:?}");
    }

    /// Name or text of the element with the focus.
    pub fn focused(&self) -> String {
        self.string("focused", json!({}))
    }

    #[track_caller]
    pub fn viewport(&self, width: u32, height: u32) {
        self.ask("viewport", json!({"width": width, "height": height}));
    }

    /// `"light"` or `"dark"`.
    #[track_caller]
    pub fn theme(&self, theme: &str) {
        self.ask("theme", json!({"theme": theme}));
    }

    /// As printed, or as on the screen again.
    #[track_caller]
    pub fn print_style(&self, on: bool) {
        self.ask("print", json!({"on": on}));
    }

    /// Load and first paint in milliseconds.
    pub fn timing(&self) -> Value {
        self.ask("timing", json!({}))
    }

    /// Console errors, exceptions and failed requests since the last call.
    pub fn problems(&self) -> Vec<String> {
        let problems = self.ask("problems", json!({}));
        problems.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Rules of WCAG 2.2 A and AA and best practice that this page breaks (axe-core).
    pub fn accessibility_violations(&self) -> Vec<Value> {
        self.ask("axe", json!({})).as_array().cloned().unwrap_or_default()
    }

    /// Asserts that the page, as it is now, is accessible, fits its window and has not complained.
    #[track_caller]
    pub fn is_sound(&self) {
        let violations = self.accessibility_violations();
        assert!(violations.is_empty(), "{}: {:#}", self.url(), Value::from(violations));
        let overflow = self.ask("overflow", json!({})).as_i64().unwrap_or(0);
        assert!(overflow <= 0, "{} is {overflow} px wider than its window", self.url());
        let problems = self.problems();
        assert!(problems.is_empty(), "{}: {problems:#?}", self.url());
    }

    /// Checks and shows the page at 1440 and 400 px, light and dark: four screenshots `NAME-1440-light.png` ….
    #[track_caller]
    pub fn portrait(&self, name: &str) {
        for (width, height) in [(1440, 900), (400, 800)] {
            self.viewport(width, height);
            for theme in ["light", "dark"] {
                self.theme(theme);
                self.is_sound();
                self.screenshot(&format!("{name}-{width}-{theme}"));
            }
        }
        self.viewport(1440, 900);
        self.theme("light");
    }

    /// Writes `NAME.png` to HOLDPOINT_SCREENSHOTS (default target/screenshots); returns its path.
    #[track_caller]
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let path = self.screenshot_path(name);
        self.ask("screenshot", json!({"path": path}));
        path
    }

    fn screenshot_path(&self, name: &str) -> PathBuf {
        let folder = std::env::var_os("HOLDPOINT_SCREENSHOTS").map_or_else(|| target_folder().join("screenshots"), PathBuf::from);
        std::fs::create_dir_all(&folder).expect("the screenshot folder can be made");
        folder.join(if name == "failed" { format!("{}-failed.png", self.name) } else { format!("{name}.png") })
    }

    #[track_caller]
    fn string(&self, what: &str, command: Value) -> String {
        self.ask(what, command).as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The driver may be gone already; then so is the page.
        if let Ok(mut driver) = self.driver.try_borrow_mut()
            && driver.process.status().is_none()
            && !std::thread::panicking()
        {
            _ = driver.ask(json!({"do": "close", "page": self.key}));
        }
    }
}
