//! Users: threads that ask a route all the time and count what they get.

use holdpoint_testkit::Client;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What was answered so far.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Version that answered to number of answers.
    pub by_version: BTreeMap<String, u64>,
    pub by_status: BTreeMap<u16, u64>,
    /// No answer at all, with the first reason.
    pub broken: u64,
    pub why: Option<String>,
}

impl Answers {
    pub fn of(&self, version: &str) -> u64 {
        self.by_version.get(version).copied().unwrap_or(0)
    }
    pub fn errors(&self) -> u64 {
        self.by_status.iter().filter(|(status, _)| **status >= 500).map(|(_, count)| count).sum()
    }
    pub fn total(&self) -> u64 {
        self.by_status.values().sum()
    }
}

/// Asks until it is dropped.
pub struct Load {
    stop: Arc<AtomicBool>,
    answers: Arc<Mutex<Answers>>,
    users: Vec<JoinHandle<()>>,
}

impl Load {
    /// `users` ask `url/work`, each waiting for its answer.
    pub fn on(url: &str, users: usize) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Answers::default())));
        let users = (0..users)
            .map(|_| {
                let (client, stop, answers) = (Client::new(url), stop.clone(), answers.clone());
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        ask(&client, &answers);
                        // Some hundred requests a second are enough for every test, and leave the machine to the server.
                        std::thread::park_timeout(std::time::Duration::from_millis(4));
                    }
                })
            })
            .collect();
        Self { stop, answers, users }
    }

    pub fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it and tells all answers.
    pub fn end(mut self) -> Answers {
        self.halt();
        self.answers()
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for user in self.users.drain(..) {
            // A user that panicked has been told already.
            _ = user.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.halt();
    }
}

fn ask(client: &Client, answers: &Mutex<Answers>) {
    let answer = client.try_send("GET", "/work", &[], None);
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(answer) => {
            *answers.by_status.entry(answer.status).or_default() += 1;
            let version =
                serde_json::from_slice::<serde_json::Value>(&answer.body).ok().and_then(|body| body["worked"].as_str().map(str::to_owned));
            if let Some(version) = version {
                *answers.by_version.entry(version).or_default() += 1;
            }
        }
        Err(why) => {
            answers.broken += 1;
            answers.why.get_or_insert(why);
        }
    }
}
