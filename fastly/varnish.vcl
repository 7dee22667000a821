vcl 4.1;

# The cache between Pushpin and the origins: on this machine and in docker-compose.yml it stands where Fastly's
# read-through cache stands in production, and follows the same headers (Surrogate-Control, Surrogate-Key, Vary).
# It is a stand-in: one node, no shielding, its purges act at once.
#
# Two sockets, named on varnishd's command line (see ./start):
#   public   what Pushpin forwards: the whole service
#   control  Fastly's purge API and the cache's own health; for the origins alone, never published
#
# FASTLY_API_KEY in the environment is the key that purges must carry; without it every purge is refused.

import directors;
import std;
import xkey;

probe healthz {
    .url = "/healthz";
    .interval = 1s;
    .timeout = 1s;
    # Taken for healthy from the first moment, so that a reload never refuses requests; sick after two misses.
    .window = 3;
    .threshold = 2;
    .initial = 2;
}

# Written by ./start: the backends, and the director `origins` made of them.
include "backends.vcl";

sub vcl_recv {
    if (local.socket == "control") {
        call control;
    }
    set req.backend_hint = origins.backend();

    # A target that origins would read otherwise than the rules below: in absolute form, or with a fragment.
    if (req.url !~ "^/" && !(req.url == "*" && req.method == "OPTIONS") || req.url ~ "#") {
        return (synth(400));
    }
    if (req.restarts == 0) {
        # What the cache says of itself, a client may not.
        unset req.http.X-Stale;
        unset req.http.X-Canonical-Path;
        # Pushpin has written the client's address; do not add Pushpin's own behind it.
        set req.http.X-Forwarded-For = regsub(req.http.X-Forwarded-For, ",[^,]*$", "");
    }
    if (req.method == "PURGE") {
        return (synth(405));
    }
    # The measurements of whichever origin happens to answer are of no use to anybody, and nobody else's business. However
    # it is written: origins decode what need not be encoded.
    if (req.url ~ "(?i)^/+(m|%6d)(e|%65)(t|%74)(r|%72)(i|%69)(c|%63)(s|%73)/*(\?|$)") {
        return (synth(404));
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # A proxy that asks what it has missed needs the truth of this moment: a cached answer would cut its listeners off
    # from everything later.
    if (req.http.Grip-Last || req.url ~ "^/counters/[^/?]+/recover/?(\?|$)") {
        return (pass);
    }
    # The list of counters is for clients with a key, which may stand in its query.
    if (req.url ~ "^/counters/?(\?|$)") {
        return (pass);
    }
    # Nothing public depends on who asks. Grip-Sig stays: on a miss the origin must see who holds the connection; but
    # nothing may vary by it, as it is new every second.
    if (req.http.Authorization || req.http.X-Ocean-Key) {
        return (pass);
    }
    unset req.http.Cookie;
    # A held stream has no part of a body and no "not modified".
    unset req.http.Range;
    # Reading a counter has no query: whatever a client appends to get past caches must not get past this one.
    if (req.url ~ "^/counters/") {
        set req.url = regsub(req.url, "\?.*$", "");
        set req.url = regsuball(req.url, "(?i)%2c", ",");
    }
    # Many spellings name one list of counters, and one answer is kept for all of them. VCL cannot sort, so the origin is asked
    # for the one spelling; its answer is kept as well.
    if (req.url ~ "^/counters/[^/]*,") {
        set req.http.X-Canonical-Path = "1";
    }
    call choose_variant;
    call choose_freshness;
    return (hash);
}

# As few variants as there are representations: `Vary: Accept` on what browsers send would make one for each browser.
# Named first wins, as the origin has it. An Accept that weighs our types against each other is the origin's to judge; it
# is rare, so it is not kept.
sub choose_variant {
    std.collect(req.http.Accept, ", ");
    if (req.http.Accept ~ "(?i)(text/event-stream|application/json|text/html|text/plain)[^,]*;\s*q\s*=") {
        return (pass);
    }
    set req.http.Accept = std.tolower(regsub(req.http.Accept,
        "(?i)^([^,]*,)*?\s*(text/event-stream|application/json|text/html|text/plain)\s*([;,].*)?$", "\2"));
    if (req.http.Accept == "text/event-stream") {
        # What is kept for listeners tells Pushpin to hold; the origin's own answer to a HEAD does not, so it is not kept.
        if (req.method == "HEAD") {
            return (pass);
        }
        unset req.http.If-None-Match;
        unset req.http.If-Modified-Since;
    } else if (req.http.Accept == "text/html") {
        # A browser's address bar: also content with what is no HTML, like the plain value of a counter.
        set req.http.Accept = "text/html, */*;q=0.1";
    } else if (req.http.Accept != "application/json") {
        set req.http.Accept = "*/*";
    }
}

# No answer depends on the host: a client that makes one up must not get past the cache by it. (At Fastly it cannot: a
# service answers for its own hosts alone.)
# The variant does: without it a listener who joins behind a purge would wait for a plain reader's answer, as only that
# tells Varnish that there are variants.
sub vcl_hash {
    hash_data(req.url);
    hash_data(req.http.Accept);
    return (lookup);
}

# Stale answers (grace, from `stale-if-error`) are only for when there is no other: all origins sick, or this very
# request has just failed and was restarted.
sub choose_freshness {
    if (req.http.X-Stale || !std.healthy(req.backend_hint)) {
        set req.grace = 365d;
    } else {
        set req.grace = 0s;
    }
}

# What an origin sends to Fastly's API: POST /service/<id>/purge with the keys in Surrogate-Key, or one key as the
# last segment of the path; Fastly-Soft-Purge: 1 makes stale instead of removing.
sub control {
    if (req.method == "GET" && req.url == "/healthz") {
        return (synth(200, "OK"));
    }
    if (req.method == "PURGE" || (req.method == "POST" && req.url ~ "^/service/[^/?]+/purge(/[^/?]+)?/?$")) {
        if (std.getenv("FASTLY_API_KEY") == "" || req.http.Fastly-Key != std.getenv("FASTLY_API_KEY")) {
            return (synth(401));
        }
        if (req.url ~ "^/service/[^/?]+/purge/[^/?]+/?$") {
            set req.http.Surrogate-Key = regsub(req.url, "^/service/[^/]+/purge/([^/]+)/?$", "\1");
        }
        if (!req.http.Surrogate-Key) {
            return (synth(400));
        }
        if (req.http.Fastly-Soft-Purge == "1") {
            set req.http.X-Purged = xkey.softpurge(req.http.Surrogate-Key);
        } else {
            set req.http.X-Purged = xkey.purge(req.http.Surrogate-Key);
        }
        return (synth(200, "Purged"));
    }
    return (synth(404));
}

sub vcl_backend_fetch {
    # One connection, one request. Varnish sends a request without a body again when a kept connection breaks before
    # the answer; for a POST that an origin has counted just before it died, that would count it twice.
    set bereq.http.Connection = "close";
    # A held response must not be compressed.
    unset bereq.http.Accept-Encoding;
}

sub vcl_backend_response {
    if (bereq.uncacheable) {
        return (deliver);
    }
    if (beresp.status >= 500) {
        call give_up_once;
    }
    set beresp.ttl = 0s;
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    if (beresp.status < 400 && !beresp.http.Set-Cookie && beresp.http.Surrogate-Control ~ "(^|[,\s])max-age=\d+" &&
        beresp.http.Surrogate-Control !~ "(^|[,\s])(no-store|private)") {
        set beresp.ttl = std.duration(
            regsub(beresp.http.Surrogate-Control, "^(.*[,\s])?max-age=(\d+).*$", "\2") + "s", 0s);
        if (beresp.http.Surrogate-Control ~ "stale-if-error=\d+") {
            set beresp.grace = std.duration(
                regsub(beresp.http.Surrogate-Control, "^.*stale-if-error=(\d+).*$", "\1") + "s", 0s);
        }
        set beresp.http.xkey = beresp.http.Surrogate-Key;
    }
    if (beresp.ttl <= 0s) {
        # Remember that it cannot be kept (hit-for-miss), or requests for it would wait for each other in a row.
        set beresp.uncacheable = true;
        set beresp.ttl = 10s;
    }
    # Not to the built-in rules: Cache-Control speaks to caches behind us and has no veto here.
    return (deliver);
}

# A failed fetch leaves nothing behind that could hide a stale answer: not in the background, and not at the first
# attempt of a request, which vcl_synth then restarts. (501 is an answer: this cannot be had here.)
sub give_up_once {
    if (bereq.is_bgfetch || (!bereq.uncacheable && !bereq.http.X-Stale && beresp.status != 501)) {
        return (abandon);
    }
}

sub vcl_backend_error {
    call give_up_once;
    set beresp.ttl = 0s;
    set beresp.grace = 0s;
    set beresp.uncacheable = true;
    set beresp.status = 503;
    call unavailable_headers;
    synthetic("""{"type":"urn:livecounter:problem:unavailable","title":"Unavailable","status":503,"detail":"no origin answers; try again"}
""");
    return (deliver);
}

sub unavailable_headers {
    set beresp.http.Content-Type = "application/problem+json";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Retry-After = "1";
    set beresp.http.Access-Control-Allow-Origin = "*";
    set beresp.http.X-Content-Type-Options = "nosniff";
}

# A browser shows a page of another origin what it has asked for with credentials only where the answer names this origin.
# What is kept is for all, so it names none: each answer does when it leaves.
sub name_the_origin {
    if (req.http.Origin && req.http.Origin ~ "^[!-~]{1,300}$") {
        set resp.http.Access-Control-Allow-Origin = req.http.Origin;
        set resp.http.Access-Control-Allow-Credentials = "true";
        std.collect(resp.http.Vary, ", ");
        if (!resp.http.Vary) {
            set resp.http.Vary = "Origin";
        } elsif (resp.http.Vary !~ "(?i)(^|[, ])origin([, ]|$)") {
            set resp.http.Vary = resp.http.Vary + ", Origin";
        }
    }
}

# Pushpin signs each request that it sends on. It may have framed the body of one otherwise than we do, and what is left over
# would begin somebody else's request: so no connection of Pushpin's has a second one.
sub part_requests {
    if (req.http.Grip-Sig) {
        set resp.http.Connection = "close";
    }
}

sub vcl_deliver {
    if (resp.status == 308 && req.http.X-Canonical-Path && resp.http.Location ~ "^/counters/" && req.restarts < 2) {
        set req.url = resp.http.Location;
        return (restart);
    }
    call part_requests;
    call name_the_origin;
    unset resp.http.Surrogate-Control;
    unset resp.http.Surrogate-Key;
    unset resp.http.xkey;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
    if (obj.hits == 0) {
        set resp.http.X-Cache = "MISS";
    } else if (obj.ttl < 0s) {
        set resp.http.X-Cache = "STALE";
    } else {
        set resp.http.X-Cache = "HIT";
    }
    return (deliver);
}

# Answers of the cache itself. Among them 503 for a fetch that was given up: the request is tried once more, and takes
# a stale answer if there is one, else asks another origin.
sub vcl_synth {
    if (resp.status == 503 && !req.http.X-Stale && req.restarts < 3) {
        set req.http.X-Stale = "1";
        return (restart);
    }
    call part_requests;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
    set resp.http.Cache-Control = "no-store";
    set resp.http.X-Content-Type-Options = "nosniff";
    set resp.http.Access-Control-Allow-Origin = "*";
    call name_the_origin;
    if (resp.status == 200) {
        set resp.http.Content-Type = "application/json";
        if (req.http.X-Purged) {
            set resp.http.X-Purged = req.http.X-Purged;
        }
        synthetic("""{"status":"ok"}
""");
        return (deliver);
    }
    set resp.http.Content-Type = "application/problem+json";
    if (resp.status == 405) {
        set resp.http.Allow = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
        synthetic("""{"type":"urn:livecounter:problem:method-not-allowed","title":"Method not allowed","status":405,"detail":"this resource answers GET, HEAD, POST, PUT, DELETE, OPTIONS"}
""");
    } elsif (resp.status == 400 && local.socket != "control") {
        synthetic("""{"type":"urn:livecounter:problem:bad-request","title":"Bad request","status":400,"detail":"the target of the request must be a path that begins with a slash, without a fragment"}
""");
    } elsif (resp.status == 404) {
        synthetic("""{"type":"urn:livecounter:problem:not-found","title":"Not found","status":404,"detail":"there is nothing here"}
""");
    } elsif (resp.status == 503) {
        set resp.http.Retry-After = "1";
        synthetic("""{"type":"urn:livecounter:problem:unavailable","title":"Unavailable","status":503,"detail":"no origin answers; try again"}
""");
    } else {
        # Of a purge.
        synthetic({"{"type":"about:blank","title":""} + resp.reason + {"","status":"} + resp.status + {"}
"});
    }
    return (deliver);
}
