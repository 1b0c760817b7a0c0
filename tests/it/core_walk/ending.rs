//! How a walk ends: all is well again, and nothing may be left over.

use pushcron::domain::{PushState, Target};
use pushcron::engine::core::{Input, timer};

use super::Walk;

impl Walk {
    /// All is well again, and everything that can happen happens: nothing may be left over.
    pub(super) fn come_to_rest(&mut self) {
        (self.store_ok, self.journal_ok) = (true, true);
        self.up.values_mut().for_each(|up| *up = true);
        self.let_the_timer_end();
        for _ in 0..20_000 {
            while let Some(action) = self.actions.pop() {
                self.carry_out(action);
            }
            while !self.in_flight.is_empty() {
                self.answer_one();
            }
            std::mem::take(&mut self.results).into_iter().for_each(|result| self.input(result));
            self.input(Input::Tick);
            if self.core.has_stopped(self.now) {
                self.start();
            }
            if !self.actions.is_empty() || !self.results.is_empty() {
                continue;
            }
            if self.core.is_at_rest() && !self.is_stopping {
                return;
            }
            // Nobody but the core says when it is to be asked again.
            let until = self.core.wake(self.now).moment(|at| self.now.moment_at(at));
            self.pass(until.since(self.now.moment));
            // Whoever is written to writes back.
            (0..4).for_each(|target| self.inbound_from(&Target::Group(target.to_string())));
        }
        panic!("{} pushes are open for ever", self.core.open_pushes());
    }

    /// What is due is recorded, and from here on there are no jobs.
    pub(super) fn let_the_timer_end(&mut self) {
        self.tick_timer();
        self.timer_input(timer::Input::Reread);
        self.tick_timer();
        for last in [false, true] {
            if last {
                self.timer_input(timer::Input::Apply(Vec::new(), None));
            }
            for _ in 0..1000 {
                while self.asked.is_some() || self.answer.is_some() {
                    self.timer_step();
                }
                let wake = self.timer.wake(self.now);
                if wake.after > self.now.moment && wake.at.is_none_or(|at| at > self.now.wall) {
                    break;
                }
                self.tick_timer();
            }
            self.ledger.check(self.now.wall);
        }
        while !self.told.is_empty() {
            self.tell_one();
        }
    }

    pub(super) fn check_the_end(&self) {
        for (id, row) in &self.rows.0 {
            assert!(row.state.is_final(), "push {id} is {}", row.state.as_str());
            assert!(!row.attempts.contains(&None), "push {id} has an attempt without an end");
            match row.state {
                PushState::Sent => assert!(row.arrived > 0, "push {id} is called sent and never arrived"),
                PushState::Unknown => assert!(row.was_unknown(), "push {id} is unknown, and no attempt was"),
                PushState::Cancelled if row.by_hand => {}
                state => assert_eq!(row.arrived, 0, "push {id} is called {} and arrived", state.as_str()),
            }
        }
        assert!(self.journal.is_empty(), "notes of attempts that were closed: {:?}", self.journal);
    }
}
