//! What figures are made of.

use jiff::Timestamp;
use timeline::Key;
use timeline::dora::{Figures, Settings, Window, WindowError, figures_by};
use timeline::ledger::Ledger;

/// The ledger of one Rollout.
#[derive(Debug, Clone)]
pub struct Book {
    /// The Rollout.
    pub rollout: Key,
    /// Its attempts.
    pub ledger: Ledger,
    /// How they are judged.
    pub settings: Settings,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Length of the window in days, today included.
    pub days: u16,
    /// Also the lines behind the figures.
    pub audit: bool,
}

/// The figures of a window: of all, and of each.
pub(super) struct Selection<'a> {
    pub(super) window: Window,
    pub(super) total: Figures,
    /// By namespace and name.
    pub(super) each: Vec<(&'a Book, Figures)>,
}

impl<'a> Selection<'a> {
    pub(super) fn of(
        books: &'a [Book],
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Self, WindowError> {
        let window = Window::days(wanted.days, now)?;
        let figures = |books: &mut dyn Iterator<Item = &Book>, bands| {
            let books = books.map(|book| (&book.ledger, book.settings));
            let [figures] = figures_by(books, [window], bands);
            figures
        };
        // One of many who wants no labels wants none on what all come to.
        let bands = books.iter().all(|book| book.settings.has_bands());
        let total = figures(&mut books.iter(), bands);
        let mut each: Vec<_> = books
            .iter()
            .map(|book| (book, figures(&mut std::iter::once(book), book.settings.has_bands())))
            .collect();
        each.sort_by(|(a, _), (b, _)| a.rollout.cmp(&b.rollout));
        Ok(Self { window, total, each })
    }

    /// The Rollouts of which the beginning of the window is unknown, and since when they are known.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (&'a Book, Timestamp)> + '_ {
        self.each.iter().filter_map(|(book, _)| {
            let since = book.ledger.known_since()?;
            (since > self.window.from()).then_some((*book, since))
        })
    }
}
