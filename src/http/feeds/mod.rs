//! `/live/{route}` and `/feed/{route}`: listen to the events of a feed, or of all feeds below a route, read those that a feed keeps, and delete them.

mod deletion;
mod history;
mod opening;
mod path;

pub(super) use deletion::delete;
pub(super) use history::get as history;
pub(super) use opening::get as live;
pub(super) use path::Listened;
