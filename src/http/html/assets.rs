//! The files that pages load, and their names. Each file is compressed once.
//!
//! The page refers to each file by a name with a hash of its content, such as `home-0123456789abcdef.js`, so that caches may keep
//! the file for ever. The plain name, `home.js`, stands for the file of the present version.

use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, Encoding, Header, HeaderValue, VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};

use crate::http::caching::{FIVE_MINUTES, FOR_EVER, NO_CACHE, begin, quoted_etag};

/// How many hexadecimal digits of the hash a name has.
const HASH_DIGITS: usize = 16;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// The script of the template for the analytics of a site.
const COLLECT: &str = include_str!("../../../docs/examples/analytics/collect.js");

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        Asset::new("home", "css", "text/css; charset=utf-8", include_str!("../home/home.css")),
        Asset::new("home", "js", JAVASCRIPT, include_str!("../home/home.js")),
        Asset::new("collect", "js", JAVASCRIPT, COLLECT),
        Asset::new("admin", "css", "text/css; charset=utf-8", include_str!("../admin/admin.css")),
        Asset::new("admin", "js", JAVASCRIPT, include_str!("../admin/admin.js")),
        Asset::new("favicon", "svg", "image/svg+xml", include_str!("../home/favicon.svg")),
    ]
});

/// One file in its representations.
pub(in crate::http) struct Asset {
    stem: &'static str,
    extension: &'static str,
    hash: String,
    /// The value of `Content-Type`.
    content_type: &'static str,
    plain: Representation,
    /// Made for the first client that accepts it, because an encoder takes 300 KiB, which the process would keep from its start.
    /// `None` if compression does not make the file smaller.
    compressed: OnceLock<Option<Representation>>,
}

/// The body that a client gets of an asset, and its validator.
struct Representation {
    body: Bytes,
    /// Differs between the representations of an asset, as strong validators must.
    etag: HeaderValue,
    /// Whether the body is compressed by gzip.
    is_compressed: bool,
}

/// The asset that has this name, and the value of its `Cache-Control`; `None` if there is none.
pub(in crate::http) fn find(name: &str) -> Option<(&'static Asset, &'static HeaderValue)> {
    ASSETS.iter().find_map(|asset| Some((asset, asset.caching(name)?)))
}

/// The name with the hash, for the plain name of an asset.
pub(in crate::http) fn hashed_name(plain_name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.has_plain_name(plain_name));
    asset.map_or_else(
        || plain_name.to_owned(),
        |Asset { stem, hash, extension, .. }| format!("{stem}-{hash}.{extension}"),
    )
}

impl Asset {
    /// The asset with this text. `stem` and `extension` are the parts of its plain name.
    pub(in crate::http) fn new(
        stem: &'static str,
        extension: &'static str,
        content_type: &'static str,
        text: impl Into<Bytes>,
    ) -> Self {
        let body = text.into();
        let digest = digest(&SHA256, &body);
        let mut hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        hash.truncate(HASH_DIGITS);
        let plain = Representation { body, etag: quoted_etag(&hash), is_compressed: false };
        Asset { stem, extension, hash, content_type, plain, compressed: OnceLock::new() }
    }

    fn has_plain_name(&self, name: &str) -> bool {
        name.strip_prefix(self.stem).and_then(|rest| rest.strip_prefix('.')) == Some(self.extension)
    }

    /// The value of `Cache-Control` for the asset under this name; `None` if the name is not one of the asset's.
    ///
    /// A name with another hash is another version's. While a new version is rolled out, a page of one version may ask an
    /// origin of the other. That origin answers with the file that it has, and each cache must ask again before the next use.
    fn caching(&self, name: &str) -> Option<&'static HeaderValue> {
        if self.has_plain_name(name) {
            return Some(&FIVE_MINUTES);
        }
        let stem = name.strip_suffix(self.extension)?.strip_suffix('.')?;
        let hash = stem.strip_prefix(self.stem)?.strip_prefix('-')?;
        let is_hash =
            hash.len() == HASH_DIGITS && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then_some(if hash == self.hash { &FOR_EVER } else { &NO_CACHE })
    }

    /// Answers the representation that the client accepts; 304 if the client has it already. `add_headers` adds what both answers have beside
    /// the headers for caches.
    pub(in crate::http) fn answer(
        &self,
        request: &HttpRequest,
        caching: &HeaderValue,
        add_headers: impl FnOnce(&mut HttpResponseBuilder),
    ) -> HttpResponse {
        let representation = self.representation(request);
        let (mut response, is_known) = begin(request, &representation.etag);
        response
            .insert_header((CACHE_CONTROL, caching.clone()))
            .insert_header((ETAG, representation.etag.clone()))
            .insert_header((VARY, HeaderValue::from_static("accept-encoding")));
        add_headers(&mut response);
        if is_known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, self.content_type));
        if representation.is_compressed {
            response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        response.body(representation.body.clone())
    }

    /// The compressed representation if the client accepts it, else the plain one.
    fn representation(&self, request: &HttpRequest) -> &Representation {
        let compressed =
            accepts_gzip(request).then(|| self.compressed.get_or_init(|| self.compress()).as_ref());
        compressed.flatten().unwrap_or(&self.plain)
    }

    fn compress(&self) -> Option<Representation> {
        let body = gzip(&self.plain.body, Compression::best())?;
        let etag = quoted_etag(&format!("{}-gzip", self.hash));
        Some(Representation { body, etag, is_compressed: true })
    }
}

/// Whether the client gets a compressed body. A header that cannot be read accepts no compression.
pub(in crate::http) fn accepts_gzip(request: &HttpRequest) -> bool {
    let accepted = AcceptEncoding::parse(request).unwrap_or(AcceptEncoding(Vec::new()));
    let supported = [Encoding::gzip(), Encoding::identity()];
    accepted.negotiate(supported.iter()) == Some(Encoding::gzip())
}

/// The compressed text; `None` if it is not smaller.
pub(in crate::http) fn gzip(text: &[u8], level: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(text).ok()?;
    encoder.finish().ok().filter(|compressed| compressed.len() < text.len()).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caching(name: &str) -> Option<&'static str> {
        find(name).map(|(_, caching)| caching.to_str().expect("a text"))
    }

    #[test]
    fn only_the_name_with_the_present_hash_is_kept_for_ever() {
        let name = hashed_name("home.js");
        assert_eq!(caching(&name), Some("max-age=31536000, immutable"));
        assert_eq!(caching("home.js"), Some("max-age=300"));
        assert_eq!(caching("home-0123456789abcdef.js"), Some("no-cache"));
        assert_ne!(hashed_name("home.css").replace(".css", ".js"), name, "each file has a hash of its own");
    }

    #[test]
    fn a_name_that_no_asset_has_is_not_found() {
        for name in [
            "",
            "home",
            "home.",
            "home.html",
            "homejs",
            "home-.js",
            "home-0123.js",
            "home-0123456789ABCDEF.js",
            "home-0123456789abcdef0.js",
            "home-0123456789abcdef.svg",
            "home.js.js",
            "../home.js",
        ] {
            assert_eq!(caching(name), None, "{name:?}");
        }
    }
}
