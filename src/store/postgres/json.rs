//! Instants in JSON that the server puts together: as the text that they have everywhere.

/// A column as such a text; NULL stays NULL.
macro_rules! utc {
    ($column:literal) => {
        concat!("to_char(", $column, r#" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#)
    };
}
pub(super) use utc;

/// The attempts of the push whose id stands there, as they are told.
macro_rules! attempts_of {
    ($push:literal) => {
        concat!(
            "coalesce((SELECT json_agg(json_build_object(
                 'number', number, 'account', account, 'rule', rule, 'sender', sender,
                 'started_at', ",
            utc!("started_at"),
            ", 'finished_at', ",
            utc!("finished_at"),
            ", 'outcome', outcome, 'error', error, 'http_status', http_status, 'message_id', message_id, 'note', note,
                 'denied_at', ",
            utc!("denied_at"),
            ") ORDER BY number) FROM attempts WHERE push_id = ",
            $push,
            "), '[]'::json)"
        )
    };
}
pub(super) use attempts_of;

/// The content of the fire whose id stands there, without itself.
macro_rules! content_of {
    ($fire:literal) => {
        concat!(
            "(SELECT json_build_object(
                 'source', source, 'outcome', outcome, 'attempts', attempts, 'began_at', ",
            utc!("began_at"),
            ", 'made_at', ",
            utc!("made_at"),
            ", 'exit_code', exit_code, 'size', octet_length(content), 'sha256', sha256, 'error', error, 'stale_from', ",
            utc!("stale_from"),
            ", 'stale_why', stale_why) FROM contents WHERE fire_id = ",
            $fire,
            ")"
        )
    };
}
pub(super) use content_of;

/// What a push `p` is told with, but for its attempts.
macro_rules! push_fields {
    () => {
        concat!(
            "'id', p.id, 'fallback_of', p.parent_id, 'im', p.im, 'target', p.target, 'kind', p.kind, 'state', p.state,
             'reason', p.reason, 'detail', p.detail, 'max_attempts', p.max_attempts, 'next_attempt_at', ",
            utc!("p.next_attempt_at"),
            ", 'expires_at', ",
            utc!("p.expires_at"),
            ", 'finished_at', ",
            utc!("p.finished_at"),
            ", 'confirmed_at', ",
            utc!("p.confirmed_at")
        )
    };
}
pub(super) use push_fields;

/// What a fire `f` is told with, but for what hangs on it.
macro_rules! fire_fields {
    () => {
        concat!(
            "'triggered_by', f.triggered_by, 'due_at', ",
            utc!("f.due_at"),
            ", 'until_at', ",
            utc!("f.until_at"),
            ", 'count', f.count, 'decision', f.decision, 'reason', f.reason, 'recorded_at', ",
            utc!("f.recorded_at"),
            ", 'zone', f.zone, 'calendar', f.calendar, 'revision', f.revision,
             'awaits_content', EXISTS (SELECT 1 FROM unreleased_fires AS u WHERE u.fire_id = f.id)"
        )
    };
}
pub(super) use fire_fields;
