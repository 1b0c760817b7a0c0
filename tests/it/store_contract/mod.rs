//! What every store must do, verb by verb, whatever database is behind it.
//!
//! A test takes a [`World`]: an empty store with one bystander in it, a job and a push of its own that no test
//! touches. When the test is over, the bystander must be exactly as it was. What only a database that is a file has to do is
//! below what every backend has to.

mod accounts;
mod acts;
mod attempts;
mod contents;
mod definitions;
mod figures;
mod fires;
#[cfg(feature = "postgres")]
mod postgres;
mod pushes;
mod reading;
mod sqlite;
mod sqlite_file;
mod sqlite_rows;
mod upkeep;
pub(crate) mod world;

use world::World;

/// Runs each named function of a module against each backend.
macro_rules! on_every_backend {
    ($($module:ident: $($test:ident)+;)+) => {
        mod on_sqlite {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    let sqlite = Box::new(crate::store_contract::sqlite::Sqlite::new());
                    crate::store_contract::World::check(sqlite, crate::store_contract::$module::$test).await;
                })+
            })+
        }

        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    let Some(postgres) = crate::store_contract::postgres::Postgres::new().await else { return };
                    crate::store_contract::World::check(Box::new(postgres), crate::store_contract::$module::$test).await;
                })+
            })+
        }
    };
}

/// Runs each named function of a module where the database is a file.
macro_rules! on_files {
    ($($module:ident: $($test:ident)+;)+) => {
        mod on_files {
            $(mod $module {
                $(#[tokio::test]
                async fn $test() {
                    let sqlite = Box::new(crate::store_contract::sqlite::Sqlite::new());
                    crate::store_contract::World::check(sqlite, crate::store_contract::$module::$test).await;
                })+
            })+
        }
    };
}

on_every_backend! {
    definitions:
        a_job_reads_back_as_it_was_loaded
        a_change_makes_a_new_revision_and_moves_the_place
        a_change_ends_what_earlier_revisions_held_later_than_it
        a_change_of_the_text_alone_keeps_an_earlier_place
        a_removed_job_leaves_its_history_and_loses_its_waiting_pushes
        a_job_that_comes_back_starts_anew_under_its_old_name
        many_thousand_jobs_are_loaded_and_read_in_pieces
        a_pause_is_noted_once_and_lifted_once
        a_pause_withdraws_what_was_recorded_ahead
        pausing_a_job_that_is_not_there_is_refused;
    fires:
        a_fire_makes_every_push_of_the_definition
        an_instant_is_recorded_once_however_often_it_is_told
        skips_and_misses_make_no_push
        a_fire_recorded_late_has_its_whole_time
        fires_decided_from_a_place_that_moved_are_refused_whole
        fires_of_a_job_that_is_gone_are_refused
        a_fire_due_while_paused_becomes_a_skip
        overlap_skip_lets_one_through_and_skips_while_it_is_open
        overlap_replace_retires_what_waits_and_leaves_what_is_being_sent
        what_was_recorded_ahead_is_withdrawn_and_decided_anew
        a_job_that_stays_spent_keeps_its_end_where_an_earlier_fire_is_taken_back
        what_a_clock_recorded_that_was_put_back_since_keeps_its_ids
        what_never_fired_is_taken_back_where_the_clock_was_put_back
        a_gap_that_was_decided_by_other_days_is_not_decided_anew
        a_push_that_nobody_watched_comes_with_the_lists_of_days_of_its_job
        a_place_that_goes_back_takes_the_beginning_of_its_revision_along
        the_last_sign_of_a_daemon_is_remembered
        an_attempt_begun_ahead_keeps_its_fire
        a_fire_by_hand_works_on_paused_and_disabled_jobs
        two_fires_by_hand_in_one_millisecond_are_two
        a_push_outside_any_job_keeps_the_chat_that_asked;
    attempts:
        an_attempt_is_durable_before_its_delivery_is_handed_out
        a_push_is_begun_once
        a_sent_push_counts_one
        a_failed_attempt_waits_for_the_next
        a_push_that_may_have_arrived_stays_marked
        every_way_out_of_sending_ends_in_its_state
        an_attempt_taken_back_was_never_made
        what_a_newer_fire_replaced_while_it_was_being_sent_is_not_tried_again
        what_was_replaced_and_arrived_all_the_same_is_sent
        a_push_of_a_job_removed_while_it_was_being_sent_is_not_tried_again
        an_older_push_is_tried_again_where_nothing_replaced_it
        an_older_push_that_a_person_asks_for_again_goes_out_until_a_newer_fire_replaces_it
        a_push_is_as_old_as_it_was_though_a_person_puts_it_back
        what_waits_and_may_have_arrived_is_unknown_once_it_is_replaced_or_its_job_is_gone
        parts_are_kept_for_the_next_attempt
        what_an_attempt_says_of_its_account_is_written_with_it
        a_finish_that_comes_too_late_changes_nothing
        attempts_of_a_dead_process_are_found
        the_key_of_a_push_is_the_same_at_every_attempt;
    pushes:
        open_pushes_come_oldest_first_without_those_being_sent
        thousands_of_open_pushes_are_all_read
        a_push_can_be_put_back_without_an_attempt
        a_push_can_end_without_an_attempt
        what_was_begun_or_put_off_does_not_end_as_untouched
        only_what_waits_can_be_cancelled
        only_what_failed_can_be_retried
        only_an_unknown_push_can_be_resolved
        a_proof_of_delivery_settles_the_push
        an_unknown_id_is_told_as_such;
    accounts:
        accounts_keep_the_order_of_the_files
        news_of_one_account_leaves_the_others
        a_sender_finds_its_memory_again
        the_same_bytes_are_stored_once;
    reading:
        every_view_has_its_columns_even_when_empty
        history_tells_account_rule_answer_and_lateness
        each_filter_filters
        one_push_is_told_with_all_that_hangs_on_it
        what_did_not_fire_is_told_by_its_time
        how_things_stand_is_told_in_numbers
        pages_are_newest_first
        everything_is_read_in_pages_whatever_the_filter
        where_pushes_stand_is_read_in_pages
        a_fire_tells_its_whole_story
        a_gap_is_found_from_inside
        what_ended_badly_is_found_in_the_order_of_its_recording
        every_definition_that_held_is_remembered
        the_ledger_reads_schedules_and_rows_in_pages
        every_id_that_has_no_row_is_accounted_for
        another_process_is_noticed_and_our_own_writes_are_not;
    acts:
        an_act_leaves_a_row_that_tells_who_did_it_and_what_it_changed
        what_was_refused_and_what_nobody_did_by_hand_leaves_none
        a_fire_and_its_pushes_lead_to_the_act_that_made_them
        a_job_made_changed_and_removed_by_hand_tells_its_revisions
        acts_are_read_in_pages_and_pruned_with_the_history
        a_request_with_a_key_is_carried_out_once;
    figures:
        an_hour_tells_what_became_of_what_was_due_in_it
        an_hour_made_twice_is_the_same_and_sees_what_was_resolved_meanwhile
        the_running_hour_is_counted_as_it_stands
        a_job_has_the_days_of_its_zone_with_their_23_and_25_hours
        what_did_not_fire_is_counted_by_day
        a_hole_in_the_history_is_left_out
        a_clock_that_stood_ahead_does_not_end_the_figures
        figures_are_pruned_with_the_history;
    upkeep:
        pruning_takes_old_finished_fires_in_steps
        pruning_spares_what_is_open
        pruning_notes_how_far_it_came_and_leaves_a_gap_that_reaches_on
        pruning_forgets_media_that_nothing_needs
        media_are_looked_for_in_every_definition_and_every_open_push
        a_checkpoint_disturbs_nothing
        the_figures_tell_what_is_unresolved_and_how_large_it_is
        a_closed_store_says_so;
}

on_files! {
    reading:
        every_id_is_accounted_for_in_a_copy_as_well;
    upkeep:
        a_backup_is_a_whole_store
        a_restored_backup_repeats_nothing
        a_backup_never_overwrites;
}
