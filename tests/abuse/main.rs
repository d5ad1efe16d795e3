//! What somebody might try, one file each. Every test here names a mutation in `tests/mutations/` under which it fails.

mod ab01_self_approval;
mod ab02_all_doors_alike;
mod ab03_fake_credentials;
mod ab12_approve_what_you_saw;
mod ab13_evidence_after_approval;
mod ab17_result_replay;
mod ab18_envelope_confusion;
mod ab19_swapped_bytes;
mod ab20_moving_tag;
mod ab25_freeze_while_queued;
mod ab33_command_injection;
mod ab37_malformed_input;
mod ab41_stored_markup;
mod ab43_traversal;
mod ab44_bombs;
mod ab47_ledger_tampering;
