//! One suite on both engines: every test of the list runs on SQLite and on PostgreSQL, and a test compares what ran.
//! Beside it stand the few faults that only one engine knows (`faults`): a full disk, a held lock, a server that restarts.

mod accounts;
mod commands;
mod faults;
mod ledger;
mod suite;
mod world;

use holdpoint_store::Engine;
use world::World;

/// The one list. Each name is a function of one of the modules above.
macro_rules! suite {
    ($($module:ident :: $name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::run(super::Engine::Sqlite, super::$module::$name); })*
        }
        mod postgres {
            $(#[test] fn $name() { super::run(super::Engine::Postgres, super::$module::$name); })*
        }
        /// Module and name of every test of the list.
        pub(crate) const LIST: &[(&str, &str)] = &[$((stringify!($module), stringify!($name))),*];
    };
}

fn run<F: Future<Output = ()>>(engine: Engine, test: fn(World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let world = World::new(engine).await;
        tokio::time::timeout(std::time::Duration::from_secs(100), test(world)).await.expect("the test ends");
    });
}

suite! {
    commands::streams_are_chained,
    commands::same_key_same_answer,
    commands::same_key_at_the_same_time,
    commands::increments_are_not_lost,
    commands::refused_leaves_nothing,
    commands::needs_in_rounds,
    commands::too_many_rounds_or_documents,
    commands::lists_show_what_the_group_changed,
    commands::writes_need_a_lock,
    commands::facts_are_bounded,
    commands::a_panic_is_one_commands_trouble,
    commands::actions_follow_decisions,
    commands::pins_need_their_blob,
    commands::a_freeze_in_the_middle_of_a_lease_is_seen,
    commands::a_freeze_waits_for_a_lease_and_leases_do_not,
    commands::two_stores_on_one_database,
    commands::documents_are_listed_and_filtered,
    commands::projects_are_apart,
    ledger::one_leader_at_a_time,
    ledger::two_sequencers_make_one_log,
    ledger::proofs_verify,
    ledger::exports_verify,
    ledger::rebuilding_finds_no_difference_and_a_planted_one,
    ledger::tampering_is_found,
    ledger::a_cut_log_is_found_at_start,
    ledger::the_scrub_finds_what_a_start_does_not_look_at,
    ledger::erased_notes_keep_proofs,
    accounts::people_and_addresses,
    accounts::people_come_with_their_facts,
    accounts::sessions_tokens_and_invitations,
    accounts::blobs_are_whole_and_swept,
    accounts::readings_and_reports,
    faults::newer_schemas_are_refused,
    faults::a_clock_that_steps_back_is_noticed,
    faults::kill_points_end_the_process,
}
