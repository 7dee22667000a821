//! A page or a site with its hits, as the page shows it.

use std::borrow::Cow;

use crate::domain::{PageAddress, Topic};
use crate::http::html::shown::{ShownNumber, shortened};

/// A page or a site with its hits.
#[derive(Clone)]
pub(super) struct Entry {
    /// What the number is the number of, in words; empty in a list, which has a title of its own.
    pub(super) title: &'static str,
    /// The address: ASCII characters that begin with a host, but `'` and `&` may be among them.
    pub(super) address: String,
    /// The name of the topic.
    pub(super) topic: String,
    /// How many hits there are.
    pub(super) number: ShownNumber,
}

impl Entry {
    /// The page with this address.
    pub(super) fn page(address: &PageAddress, value: Option<i64>) -> Self {
        Entry::new(address.as_str(), &Topic::page(address), value)
    }

    /// The site of the page with this address.
    pub(super) fn site(address: &PageAddress, value: Option<i64>) -> Self {
        Entry::new(address.site(), &Topic::site(address), value)
    }

    fn new(address: &str, topic: &Topic, value: Option<i64>) -> Self {
        let (address, topic) = (address.to_owned(), topic.name().to_owned());
        Entry { title: "", address, topic, number: ShownNumber(value) }
    }

    /// The address, shortened if it is long.
    pub(super) fn short(&self) -> Cow<'_, str> {
        shortened(&self.address)
    }
}

/// A list of the page.
pub(super) struct TopList<'a> {
    /// The id of its title within the page.
    pub(super) id: &'static str,
    /// Its title.
    pub(super) title: &'static str,
    /// What is in it, in its order.
    pub(super) entries: &'a [Entry],
}
