//! Pieces of SQL about a fire.

/// The definition by which a fire went out, which the job's own row has or an earlier revision, as text.
macro_rules! definition_of_fire {
    () => {
        "coalesce((SELECT r.definition FROM job_revisions AS r WHERE r.job = f.job AND r.revision = f.revision),
                  j.definition)::text"
    };
}

pub(super) use definition_of_fire;
