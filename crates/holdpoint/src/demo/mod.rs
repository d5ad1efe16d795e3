//! The demo: a user of Holdpoint. It starts the real program, sets it up as anybody would, releases the shop three times
//! over the API, and holds every step to what was promised.
//!
//! Architecture invariant: nothing here reaches into the server; what the demo can do, a user can do. It looks into its
//! own folder for two things only: whom to kill in the middle of a migration, and what is in the shop's database.

mod chapters;
mod patience;
mod people;
mod processes;
mod scene;
mod shop;
mod tell;
mod work;

pub use chapters::Defect;

use crate::out::{Code, Out};
use patience::{Patience, Stopped};
use scene::{Ground, Scene};
use std::path::Path;
use std::time::Instant;
use tell::Tell;

/// Runs it. With `exit` it ends when the story has been told; otherwise the server stays until Ctrl-C.
pub fn run(out: &Out, folder: &Path, defect: Defect, exit: bool) -> anyhow::Result<Code> {
    let patience = Patience::listening()?;
    let begun = Instant::now();
    let mut scene = match Ground::new(Tell::new(out), patience.clone(), folder).and_then(Ground::scene) {
        Ok(scene) => scene,
        Err(why) => return Ok(broken_off(out, &why, folder)),
    };
    let told = story(&mut scene, defect);
    scene.tell.still();
    let code = match told {
        Ok(()) => {
            farewell(&scene, begun, exit);
            if !exit {
                patience.rest();
            }
            Code::Done
        }
        Err(why) => broken_off(out, &why, folder),
    };
    scene.processes.end();
    Ok(code)
}

fn broken_off(out: &Out, why: &anyhow::Error, folder: &Path) -> Code {
    if why.is::<Stopped>() {
        out.say("stopped; ending what was started");
    } else {
        out.say(format!(" ✗ not as promised: {why:#}\n   logs: {}", folder.join("logs").display()));
    }
    Code::Blocked
}

fn story(scene: &mut Scene, defect: Defect) -> anyhow::Result<()> {
    let client = scene.compile()?;
    let old = chapters::first(scene, &client)?;
    let release = chapters::second(scene, &old)?;
    chapters::third(scene, defect, &client)?;
    chapters::dossier(scene, &release, "1.1.0")
}

fn farewell(scene: &Scene, begun: Instant, exit: bool) {
    let took = begun.elapsed().as_secs();
    if exit {
        scene.tell.say(format!("told in {} min {} s; everything that was started is ended", took / 60, took % 60));
        return;
    }
    scene.tell.say(format!("Told in {} min {} s. The server stays: {}", took / 60, took % 60, scene.server));
    scene.tell.say(format!("Sign in as ada, grace, linus or root; their passwords are in {}", people::file(&scene.folder).display()));
    scene.tell.say("Stop with Ctrl-C.");
}
