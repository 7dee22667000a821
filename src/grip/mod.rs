//! The origin's side of GRIP, the protocol of Pushpin and Fastly Fanout: what a response says to be held open, what a
//! proxy's request proves, and how held responses are sent more. Protocol: <https://pushpin.org/docs/protocols/grip/>.
//!
//! A leaf: knows GRIP, HTTP and JWT ([`crate::jwt`]), and nothing of what is published or why.
//!
//! - [`Endpoint`]: one proxy's control address with its keys, as `GRIP_URL` writes it.
//! - [`Verifier`]: whether a request came through one of these proxies.
//! - [`Refused`]: how often that could not be said, and why.
//! - [`Hold`] and [`LastSeen`]: the headers of a held response and of a recovery request.
//! - [`Item`] and [`Publisher`]: what goes to the held responses, and who carries it there.

mod credential;
mod endpoint;
mod instruct;
mod item;
mod last;
mod publisher;
mod refused;
mod signature;
mod signature_error;

pub use endpoint::{Endpoint, ParseEndpointError, ParseEndpointsError, endpoints_from};
pub use instruct::{Hold, HoldError};
pub use item::Item;
pub use last::LastSeen;
pub use publisher::{EndpointState, PublishError, Publisher, PublisherError, PublisherOptions, Refusal};
pub use refused::Refused;
pub use signature::Verifier;
pub use signature_error::SignatureError;
