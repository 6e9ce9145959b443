//! A real browser without a window, spoken to in its own debugging protocol: what its user would see, and what its
//! console says.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::{Result, Trouble, environment, nursery, scratch};

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The protocol is spoken on the file descriptors 3 and 4; a shell puts our pipes there. The pages are our own, so the
/// browser's sandbox, which needs rights that not every test machine gives, guards nothing here.
const START: &str = "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
     --disable-background-networking --disable-component-update --remote-debugging-pipe --window-size=1100,1600 \
     \"--user-data-dir=$HOME\" about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1";

/// A browser with one page. It ends when this is dropped, or with the test process. Its methods block their thread.
pub struct Browser {
    child: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    folder: PathBuf,
    session: String,
    asked: u64,
    loaded: bool,
    complaints: Vec<String>,
}

impl Browser {
    /// Starts one, with a profile of its own.
    pub fn open() -> Result<Browser> {
        let program = environment::program("chromium", &["/usr/bin"])?;
        let folder = scratch::folder("browser")?;
        let mut command = nursery::guarded(Path::new("sh"), "KILL");
        command.arg("-c").arg(START).arg(program).env_clear().env("PATH", environment::require("PATH")?);
        command.env("HOME", &folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = nursery::spawn(command)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, answers) = pipes.ok_or_else(|| Trouble::new("the browser has no pipes"))?;
        let mut browser = Browser {
            child,
            requests,
            messages: read(answers),
            folder,
            session: String::new(),
            asked: 0,
            loaded: false,
            complaints: Vec::new(),
        };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach)?;
        browser.session = session["sessionId"].as_str().unwrap_or_default().to_string();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.ask(domain, json!({}))?;
        }
        Ok(browser)
    }

    /// Goes to `address` and waits until all of it is loaded.
    pub fn visit(&mut self, address: &str) -> Result<()> {
        self.loaded = false;
        let went = self.ask("Page.navigate", json!({"url": address}))?;
        if let Some(why) = went["errorText"].as_str() {
            return Err(Trouble::new(format!("{address}: {why}")));
        }
        let start = Instant::now();
        while !self.loaded {
            self.take(start)?;
        }
        Ok(())
    }

    /// What a script of the page would get for `expression`.
    pub fn value(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let found = self.ask("Runtime.evaluate", asked)?;
        match found.get("exceptionDetails") {
            Some(thrown) => Err(Trouble::new(format!("{expression}: {thrown}"))),
            None => Ok(found["result"]["value"].clone()),
        }
    }

    /// Has the window this many pixels wide.
    pub fn resize(&mut self, width: u32) -> Result<()> {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// Waits until `expression` is true on the page.
    pub fn until(&mut self, expression: &str) -> Result<()> {
        let start = Instant::now();
        while self.value(expression)? != true {
            if start.elapsed() > PATIENCE {
                return Err(Trouble::new(format!("waited for {expression}; the console: {:?}", self.complaints)));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What the console was told since the last time: errors, warnings, what was not loaded or not allowed.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // The answer to a question comes after all that happened before it.
        self.value("1")?;
        Ok(std::mem::take(&mut self.complaints))
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": parameters});
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.requests.write_all(format!("{request}\0").as_bytes())?;
        let start = Instant::now();
        loop {
            let message = self.take(start)?;
            if message["id"] == self.asked {
                return match message.get("error") {
                    Some(error) => Err(Trouble::new(format!("{method}: {error}"))),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    /// The next message; what it tells of the page is kept.
    fn take(&mut self, start: Instant) -> Result<Value> {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let message = self.messages.recv_timeout(left).map_err(|_| Trouble::new("the browser says nothing more"))?;
        let told = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded = true,
            "Runtime.exceptionThrown" => self.complaints.push(told["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" if matches!(told["type"].as_str(), Some("error" | "warning" | "assert")) => {
                self.complaints.push(told["args"].to_string());
            }
            "Log.entryAdded" if matches!(told["entry"]["level"].as_str(), Some("error" | "warning")) => {
                self.complaints.push(format!("{} {}", told["entry"]["text"], told["entry"]["url"]));
            }
            _ => (),
        }
        Ok(message)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It is many processes: the group ends as a whole.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Messages end with a NUL.
fn read(answers: ChildStdout) -> Receiver<Value> {
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || {
        for message in BufReader::new(answers).split(0).map_while(std::result::Result::ok) {
            let told = serde_json::from_str(&String::from_utf8_lossy(&message))
                .is_ok_and(|message| sender.send(message).is_ok());
            if !told {
                return;
            }
        }
    });
    messages
}
