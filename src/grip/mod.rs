//! The origin's side of GRIP, the protocol of Pushpin and Fastly Fanout: the headers by which a proxy holds a response open, the
//! check of a proxy's signature, and publishing to held responses. Protocol: <https://pushpin.org/docs/protocols/grip/>.
//!
//! This module knows GRIP, HTTP and JWT ([`crate::jwt`]), and does not know the contents that it publishes.
//!
//! - [`Endpoint`]: one proxy's control address with its keys, as `GRIP_URL` writes it.
//! - [`Verifier`]: checks whether a request came through one of these proxies.
//! - [`Refused`]: how many signatures were refused, and why.
//! - [`Hold`] and [`LastSeen`]: the headers of a held response and of a recovery request.
//! - [`Item`] and [`Publisher`]: a message for held responses, and the part that sends messages to the proxies.

mod credential;
mod endpoint;
mod endpoint_error;
mod endpoint_parameters;
mod instruct;
mod item;
mod last;
mod publisher;
mod refused;
mod signature;
mod signature_error;

pub use endpoint::{Endpoint, endpoints_from};
pub use endpoint_error::{ParseEndpointError, ParseEndpointsError};
pub use instruct::{Hold, HoldError};
pub use item::{Item, Retain};
pub use last::LastSeen;
pub use publisher::{EndpointState, PublishError, Publisher, PublisherError, PublisherOptions, Refusal};
pub use refused::Refused;
pub use signature::Verifier;
pub use signature_error::SignatureError;
