//! Which writes are news: those of others that were not told of yet, by the numbers that all writes of a database have.

/// The numbers up to which it was told of all, and those after that which this process gave.
#[derive(Debug)]
pub(super) struct News {
    told: i64,
    /// From and to, both included, rising, none beside the next.
    own: Vec<(i64, i64)>,
}

impl News {
    /// What was written up to this number is no news.
    pub(super) fn since(told: i64) -> News {
        News { told, own: Vec::new() }
    }

    /// A write of this process has this number, whether or not it comes to anything. Numbers rise.
    pub(super) fn note_own(&mut self, number: i64) {
        match self.own.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.own.push((number, number)),
        }
    }

    /// Whether somebody else wrote, where all is settled up to this number. Told once.
    pub(super) fn are_there(&mut self, settled: i64) -> bool {
        // By one it goes back where a write begins. By more: the database is another one than it was, as after the loss of a server.
        if settled < self.told - 1 {
            *self = News::since(settled);
            return true;
        }
        let mut reached = self.told;
        for (from, to) in &self.own {
            if *from > reached + 1 {
                break;
            }
            reached = reached.max(*to);
        }
        let are_there = reached < settled;
        self.told = self.told.max(settled);
        self.own.retain(|(_, to)| *to > self.told);
        are_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_news_once_and_what_we_wrote_never() {
        let mut news = News::since(7);
        assert!(!news.are_there(7));
        news.note_own(8);
        news.note_own(9);
        assert!(!news.are_there(8), "ours is not settled whole");
        assert!(!news.are_there(9));
        assert!(news.are_there(10));
        assert!(!news.are_there(10));
        // Between two of ours.
        news.note_own(11);
        news.note_own(13);
        assert!(news.are_there(13));
        assert!(!news.are_there(13));
        // Ours is on its way, and what came before it is not.
        news.note_own(15);
        assert!(news.are_there(14));
        assert!(!news.are_there(15));
        // A write that was under way when it was last asked, and comes to an end.
        assert!(!news.are_there(14), "settled once, settled for ever");
        assert!(news.are_there(16));
    }

    #[test]
    fn numbers_that_go_back_are_news() {
        let mut news = News::since(40);
        assert!(!news.are_there(39), "a write has begun, and has no number yet");
        assert!(news.are_there(20));
        assert!(!news.are_there(20));
        assert!(news.are_there(21));
    }

    #[test]
    fn what_was_noted_takes_no_room_once_it_was_told_of() {
        let mut news = News::since(0);
        for turn in 0..1000 {
            news.note_own(3 * turn + 1);
            news.note_own(3 * turn + 2);
            assert!(news.are_there(3 * turn + 3));
            assert!(news.own.is_empty());
        }
    }
}
