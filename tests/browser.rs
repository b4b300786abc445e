//! A page in a real browser: Chromium, which its driver is told to move, over WebDriver (JSON by HTTP on loopback).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{Place, signal};
use crate::servers::installed;

/// A browser that takes longer over a command hangs.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// A window without a screen; it ends with the test.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    pub(crate) fn open(place: &Place) -> Self {
        let mut driver = place
            .program(installed("chromedriver", "chromium-driver"))
            .arg("--port=0")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let mut browser = Self {
            driver,
            port: port.expect("a driver that has started says on which port"),
            session: String::new(),
        };
        // Its sandbox needs what a container has not. The page is ours.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments, "binary": installed("chromium", "chromium")},
        }}});
        let session = browser.send("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// Sends a command to the driver; gives the value of its answer.
    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(COMMAND_MAX)).unwrap();
        let body = body.to_string();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = BufReader::new(stream);
        let heads = answer.by_ref().lines().map(Result::unwrap);
        let heads: Vec<String> = heads.take_while(|head| !head.is_empty()).collect();
        let length = heads.iter().find_map(|head| {
            let (name, length) = head.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| length.trim().parse().unwrap())
        });
        let mut text = vec![0; length.unwrap()];
        answer.read_exact(&mut text).unwrap();
        let mut answer: Value = serde_json::from_slice(&text).unwrap();
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{method} {path}: {value:#}");
        value
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.send("POST", &format!("/session/{}/{path}", self.session), body)
    }

    /// A command of the DevTools protocol.
    #[track_caller]
    pub(crate) fn tell(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", &body)
    }

    /// Sets the size of the page, in pixels of CSS, what it is shown on, and whether in the dark.
    pub(crate) fn show(&self, (width, height): (u32, u32), medium: &str, scheme: &str) {
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}),
        );
        self.tell(
            "Emulation.setEmulatedMedia",
            &json!({"media": medium, "features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    pub(crate) fn load(&self, page: &Path) {
        self.post("url", &json!({"url": format!("file://{}", page.display())}));
    }

    /// What a script returns, in the page, or what the promise that it returns comes to.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Lets the page do what a person would be asked for, such as `clipboard-read`.
    #[track_caller]
    pub(crate) fn allow(&self, what: &str) {
        let body = json!({"descriptor": {"name": what}, "state": "granted"});
        self.post("permissions", &body);
    }

    /// Moves the mouse: each step is a moment's deed, at places in pixels of what the page shows.
    #[track_caller]
    pub(crate) fn mouse(&self, steps: &[Mouse]) {
        let steps: Vec<Value> = steps
            .iter()
            .map(|step| match *step {
                Mouse::To(x, y) => json!({"type": "pointerMove", "duration": 0, "x": x, "y": y}),
                Mouse::Down => json!({"type": "pointerDown", "button": 0}),
                Mouse::Up => json!({"type": "pointerUp", "button": 0}),
            })
            .collect();
        let mouse = json!({"type": "pointer", "id": "mouse", "actions": steps});
        self.post("actions", &json!({"actions": [mouse]}));
    }

    /// Presses keys, one after the other: characters, or those that WebDriver has numbers for.
    #[track_caller]
    pub(crate) fn press(&self, keys: &str) {
        let steps = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|step| json!({"type": step, "value": key.to_string()}))
        });
        let keys = json!({"type": "key", "id": "keys", "actions": steps.collect::<Vec<_>>()});
        self.post("actions", &json!({"actions": [keys]}));
    }

    /// What the page complained of since it was asked last: errors of scripts, and what its policy refused.
    #[track_caller]
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let log = self.post("se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Told to end, and not killed, the driver takes its browser along.
        let ending = TcpStream::connect(("127.0.0.1", self.port));
        let ended = ending.and_then(|mut stream| {
            stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n")
        });
        if ended.is_err() {
            signal("KILL", self.driver.id());
        }
        let _ = self.driver.wait();
    }
}

/// A step of the mouse.
pub(crate) enum Mouse {
    To(i64, i64),
    Down,
    Up,
}
