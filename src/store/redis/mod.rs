//! Redis: the store of stateless origins.
