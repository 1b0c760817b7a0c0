//! Whose number stands still: by counted looks, so that no clock has a say, and a look that failed says nothing of others.

use std::collections::HashMap;

use super::fleet::{Fleet, Host};

/// So many looks in a row have to find a number where it stood before its host counts as silent: with a look every two
/// seconds, ten seconds.
pub(super) const PATIENCE: u32 = 5;

/// The numbers of other hosts, as this one has seen them.
#[derive(Debug, Default)]
pub(super) struct Watch(HashMap<Host, Seen>);

#[derive(Debug)]
struct Seen {
    beat: i64,
    /// Looks since it was first seen there.
    looks: u32,
}

impl Watch {
    /// One look at all. Returns the hosts that are silent, with the numbers where they stand.
    pub(super) fn look(&mut self, fleet: &Fleet, own: &Host) -> Vec<(Host, i64)> {
        let live = || fleet.hosts.iter().filter(|row| row.state == "live" && row.host != *own);
        self.0.retain(|host, _| live().any(|row| row.host == *host));
        let mut silent = Vec::new();
        for row in live() {
            let seen = self.0.entry(row.host.clone()).or_insert(Seen { beat: row.beat, looks: 0 });
            if seen.beat == row.beat {
                seen.looks += 1;
            } else {
                *seen = Seen { beat: row.beat, looks: 1 };
            }
            if seen.looks > PATIENCE {
                silent.push((row.host.clone(), row.beat));
            }
        }
        silent
    }

    /// This host could not look: others may have beaten all the while, so that nobody is silent for what was not seen.
    pub(super) fn begin_anew(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::HostRow;

    fn host(id: &str, incarnation: i64) -> Host {
        Host { id: id.to_owned(), incarnation }
    }

    fn fleet(rows: &[(&str, i64, i64, &str)]) -> Fleet {
        let row = |(id, incarnation, beat, state): &(&str, i64, i64, &str)| HostRow {
            host: host(id, *incarnation),
            place: String::new(),
            beat: *beat,
            state: (*state).to_owned(),
            version: String::new(),
        };
        Fleet { hosts: rows.iter().map(row).collect(), seats: Vec::new() }
    }

    /// Each step is what a look finds of `b`, and whether `b` is silent by then.
    #[test]
    fn a_host_is_silent_once_its_number_stood_still_for_long_enough() {
        let stands = |times: usize| std::iter::repeat_n((1, 7, "live", false), times);
        let patient = PATIENCE as usize;
        let cases: [(&str, Vec<(i64, i64, &str, bool)>); 5] = [
            ("it stands", stands(patient).chain([(1, 7, "live", true), (1, 7, "live", true)]).collect()),
            (
                "it moves late",
                stands(patient).chain([(1, 8, "live", false)]).chain([(1, 8, "live", false); 4]).collect(),
            ),
            ("it left", stands(patient).chain([(1, 7, "left", false)]).collect()),
            ("it is lost already", stands(patient).chain([(1, 7, "lost", false)]).collect()),
            ("it entered again", stands(patient).chain([(2, 7, "live", false)]).collect()),
        ];
        for (name, steps) in cases {
            let mut watch = Watch::default();
            for (step, (incarnation, beat, state, is_silent)) in steps.into_iter().enumerate() {
                let silent = watch.look(&fleet(&[("a", 1, 1, "live"), ("b", incarnation, beat, state)]), &host("a", 1));
                let wanted = if is_silent { vec![(host("b", incarnation), beat)] } else { Vec::new() };
                assert_eq!(silent, wanted, "{name}, step {step}");
            }
        }
    }

    #[test]
    fn what_was_not_seen_is_held_against_nobody() {
        let (mut watch, own) = (Watch::default(), host("a", 1));
        let found = fleet(&[("a", 1, 1, "live"), ("b", 1, 7, "live")]);
        for _ in 0..PATIENCE {
            assert_eq!(watch.look(&found, &own), []);
        }
        watch.begin_anew();
        for _ in 0..PATIENCE {
            assert_eq!(watch.look(&found, &own), []);
        }
        assert_eq!(watch.look(&found, &own), [(host("b", 1), 7)]);
    }
}
