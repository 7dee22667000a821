//! `livecounter verify`, against the service itself and against what is no livecounter.

mod services;
mod strangers;
mod words;
