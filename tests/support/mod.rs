//! Real servers and clients for the tests; each file stands for one of them.

pub(crate) mod redis;
