vcl 4.1;

# The cache between Pushpin and the origins. On one machine and in docker-compose.yml it replaces Fastly's read-through cache,
# and follows the same headers (Surrogate-Control, Surrogate-Key, Vary). Unlike Fastly's, this cache has one node and no
# shielding, and its purges act at once.
#
# The cache has two sockets, which varnishd's command line names (see ./start):
#   public   takes the requests that Pushpin forwards: the whole service
#   control  offers Fastly's purge API and the cache's own health. Only the origins may reach it.
#
# FASTLY_API_KEY in the environment is the key that purges must carry. Without this variable the cache refuses every purge.

import directors;
import std;
import xkey;

probe healthz {
    .url = "/healthz";
    .interval = 1s;
    .timeout = 1s;
    # A backend counts as healthy from the start, so that a reload never refuses requests, and as sick after two failed probes.
    .window = 3;
    .threshold = 2;
    .initial = 2;
}

# ./start writes this file with the backends and the director `origins`, which consists of them.
include "backends.vcl";

sub vcl_recv {
    if (local.socket == "control") {
        call control;
    }
    set req.backend_hint = origins.backend();

    # Origins would read a target in absolute form or with a fragment otherwise than the rules below, so the cache refuses it.
    if (req.url !~ "^/" && !(req.url == "*" && req.method == "OPTIONS") || req.url ~ "#") {
        return (synth(400));
    }
    if (req.restarts == 0) {
        # Only the cache may set these headers, so those of a client are removed.
        unset req.http.X-Stale;
        unset req.http.X-Canonical-Path;
        # Pushpin has written the client's address. Varnish has added Pushpin's own behind it, which is removed.
        set req.http.X-Forwarded-For = regsub(req.http.X-Forwarded-For, ",[^,]*$", "");
    }
    if (req.method == "PURGE") {
        return (synth(405));
    }
    # Varnish ends the body that it sends to an origin where the client's breaks off: of a body in chunks the origin would count what has come.
    # So the cache first reads such a body whole. The longest that origins take has 128 KiB.
    if (req.http.Transfer-Encoding && !std.cache_req_body(160KB)) {
        return (synth(413, "Body broken off or too large"));
    }
    # Metrics are not public, and would come from any of the origins. The rule matches encoded letters too, as origins decode them.
    if (req.url ~ "(?i)^/+(m|%6d)(e|%65)(t|%74)(r|%72)(i|%69)(c|%63)(s|%73)/*(\?|$)") {
        return (synth(404));
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # The answer to a recovery must have the newest value. After a cached answer, the listeners would get no later event.
    if (req.http.Grip-Last || req.url ~ "^/(counters|topics)/[^/?]+/recover/?(\?|$)") {
        return (pass);
    }
    # Only clients with a key may read the list of counters, and the key may be in the query.
    if (req.url ~ "^/counters/?(\?|$)") {
        return (pass);
    }
    # A request for hits counts, or its answer is for one client. A request that counts must not be sent twice, so it passes the
    # cache. The rule matches encoded letters too, as origins decode them. `/nocount`, `/nocount/site`, the past of hits and their badge for
    # shields.io only read. The cache keeps them if the query names the page: the header Referer, which names it otherwise, is not part of
    # the hash.
    if (req.url ~ "(?i)^/((n|%6e)(o|%6f))?(c|%63)(o|%6f)(u|%75)(n|%6e)(t|%74)/?([/%?]|$)" &&
        req.url !~ "^/nocount(/(site|history|chart[.]svg|tag[.]json))?\?([^#]*&)?url=") {
        return (pass);
    }
    # Other paths may belong to another service whose routes the origins answer (docs/moving.md), and a GET may count there.
    if (req.url !~ "^/([?]|$)|^/(assets|counters|topics)/|^/(favicon[.]ico|healthz|live-counter[.]js|nocount|nocount/(site|history|chart[.]svg|tag[.]json)|openapi[.]json|readyz|robots[.]txt)/?([?]|$)") {
        return (pass);
    }
    # A public answer does not depend on the client, so a request with credentials passes the cache. Grip-Sig stays, as on a miss
    # the origin must see that a proxy holds the connection. No answer may vary by Grip-Sig, which changes every second.
    if (req.http.Authorization || req.http.X-Ocean-Key) {
        return (pass);
    }
    unset req.http.Cookie;
    # A held stream has no ranges.
    unset req.http.Range;
    # For the past of a counter, a page or a site only its known parameters count.
    if (req.url ~ "^/(counters/[^/?]+|nocount)/(history|chart\.svg)(\?|$)") {
        call keep_known_parameters;
        std.collect(req.http.Accept, ", ");
        # A client that names tables gets the past as a table; the query decides for all other clients.
        if (req.http.Accept ~ "(?i)(^|[ ,])text/csv *(;|,|$)") {
            set req.http.Accept = "text/csv";
        } else {
            set req.http.Accept = "*/*";
        }
        call choose_freshness;
        return (hash);
    }
    # A badge has one form for all clients, and of its query only its known parameters count.
    if (req.url ~ "^/counters/[^/?]+/badge\.(svg|json)(\?|$)|^/nocount/tag\.json\?") {
        call keep_badge_parameters;
        set req.http.Accept = "*/*";
        call choose_freshness;
        return (hash);
    }
    # Of the query of a read of hits only the addresses of pages count, in their order.
    if (req.url ~ "^/nocount") {
        set req.url = regsub(regsuball(regsub(req.url, "\?", "?&"), "&(?!url=)[^&]*", ""), "\?&", "?");
    }
    # Reading a counter, topics or the module for pages needs no query, so a client cannot pass the cache by a query that it makes up.
    if (req.url ~ "^/(counters|topics)/|^/live-counter[.]js/?([?]|$)") {
        set req.url = regsub(req.url, "\?.*$", "");
        set req.url = regsuball(req.url, "(?i)%2c", ",");
    }
    # Several paths name the same counters or topics in another order. The cache keeps one answer for all of them. As VCL cannot sort, the
    # origin redirects to the sorted path. The cache keeps the redirection too, and follows it itself (see vcl_deliver).
    if (req.url ~ "^/counters/[^/]*,|^/topics/") {
        set req.http.X-Canonical-Path = "1";
    }
    call choose_variant;
    call choose_freshness;
    return (hash);
}

# Leaves in the query what the past of counters, pages and sites has as parameters, in one order. Of a parameter that is given several
# times, the last one counts; of the addresses of pages, the first.
sub keep_known_parameters {
    set req.http.X-Query = "";
    call keep_page;
    if (req.url ~ "^/nocount/[^?]*\?(.*&)?of=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(of=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?unit=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(unit=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?last=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(last=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?tz=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(tz=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?format=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(format=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?form=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(form=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?theme=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(theme=[^&]*).*$", "\2");
    }
    set req.url = regsub(req.url, "\?.*$", "") + regsub(req.http.X-Query, "^&", "?");
    unset req.http.X-Query;
}

# Begins the query with the first address of a page, if this is a path of hits.
sub keep_page {
    if (req.url ~ "^/nocount/[^?]*\?(.*&)?url=") {
        set req.http.X-Query = "&" + regsub(req.url, "^[^?]*\?(.*?&)??(url=[^&]*).*$", "\2");
    }
}

# The same for badges.
sub keep_badge_parameters {
    set req.http.X-Query = "";
    call keep_page;
    if (req.url ~ "^[^?]*\?(.*&)?of=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(of=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?tz=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(tz=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?style=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(style=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?label=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(label=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?color=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(color=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?labelColor=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(labelColor=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?format=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(format=[^&]*).*$", "\2");
    }
    if (req.url ~ "^[^?]*\?(.*&)?base=") {
        set req.http.X-Query = req.http.X-Query + "&" + regsub(req.url, "^[^?]*\?(.*&)?(base=[^&]*).*$", "\2");
    }
    set req.url = regsub(req.url, "\?.*$", "") + regsub(req.http.X-Query, "^&", "?");
    unset req.http.X-Query;
}

# Reduces Accept to the few representations that exist. With the headers as browsers send them, `Vary: Accept` would make the
# cache keep a variant for each browser. The type that is named first wins, as at the origin. If an Accept weighs the service's
# types against each other, only the origin decides between them; such headers are too rare to be cached.
sub choose_variant {
    std.collect(req.http.Accept, ", ");
    if (req.http.Accept ~ "(?i)(text/event-stream|application/json|text/html|text/plain)[^,]*;\s*q\s*=") {
        return (pass);
    }
    set req.http.Accept = std.tolower(regsub(req.http.Accept,
        "(?i)^([^,]*,)*?\s*(text/event-stream|application/json|text/html|text/plain)\s*([;,].*)?$", "\2"));
    if (req.http.Accept == "text/event-stream") {
        # The kept answer for listeners tells Pushpin to hold the connection, and the origin's answer to a HEAD does not. So a HEAD
        # passes the cache.
        if (req.method == "HEAD") {
            return (pass);
        }
        unset req.http.If-None-Match;
        unset req.http.If-Modified-Since;
    } else if (req.http.Accept == "text/html") {
        # A browser's address bar also accepts other types than HTML, such as the plain value of a counter.
        set req.http.Accept = "text/html, */*;q=0.1";
    } else if (req.http.Accept != "application/json") {
        set req.http.Accept = "*/*";
    }
}

# No answer depends on the host, so the host is not part of the hash: a client must not pass the cache by a host that it makes up.
# (At Fastly it cannot, as a service answers for its own hosts only.)
# The variant is part of the hash. Without it, after a purge, a listener would wait for the answer to a plain reader, since Varnish
# learns only from an answer that there are variants.
sub vcl_hash {
    hash_data(req.url);
    hash_data(req.http.Accept);
    return (lookup);
}

# The cache gives a stale answer (grace, from `stale-if-error`) only if there is no other: if all origins are sick, or if this
# request has failed and was restarted.
sub choose_freshness {
    if (req.http.X-Stale || !std.healthy(req.backend_hint)) {
        set req.grace = 365d;
    } else {
        set req.grace = 0s;
    }
}

# Takes the requests that an origin sends to Fastly's API: POST /service/<id>/purge with the keys in Surrogate-Key, or with one key
# as the last segment of the path. With Fastly-Soft-Purge: 1, the cache marks answers as stale instead of removing them.
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
    # Each connection carries one request. If a kept connection breaks before the answer, Varnish sends a request without a body
    # again. If an origin counts such a POST and dies before it answers, the POST would be counted twice.
    set bereq.http.Connection = "close";
    # A held response must not be compressed. Files for pages may be: then the cache has the compressed form, and unpacks it for clients that
    # do not accept it.
    if (bereq.url !~ "^/(assets/|live-counter[.]js)") {
        unset bereq.http.Accept-Encoding;
    }
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
        # Varnish remembers that the answer cannot be kept (hit-for-miss), as requests would otherwise wait for each other.
        set beresp.uncacheable = true;
        set beresp.ttl = 10s;
    }
    # The built-in rules are left out, as they follow Cache-Control, which is for caches behind this one.
    return (deliver);
}

# Abandons a failed fetch, so that its answer does not replace a stale one: a fetch in the background, and the first attempt of a
# request, which vcl_synth then restarts. (501 is no failure of the origin: it says that the origin does not offer this.)
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

# A browser shows a page of another origin the answer to a request with credentials only if the answer names this origin.
# Kept answers are for all and name no origin, so each answer names it when it leaves. An answer that lets no page of another origin read
# it, as those of /admin, stays so.
sub name_the_origin {
    if (resp.http.Access-Control-Allow-Origin && req.http.Origin && req.http.Origin ~ "^[!-~]{1,300}$") {
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

# Pushpin signs each request that it forwards. If Pushpin and Varnish disagree about where a body ends, the rest of the body would
# become the beginning of another client's request. So no connection of Pushpin carries a second request.
sub part_requests {
    if (req.http.Grip-Sig) {
        set resp.http.Connection = "close";
    }
}

sub vcl_deliver {
    if (resp.status == 308 && req.http.X-Canonical-Path && resp.http.Location ~ "^/(counters|topics)/" && req.restarts < 2) {
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

# Makes the answers of the cache itself. A request whose fetch was abandoned (503) is restarted: it takes a stale answer if there
# is one, and otherwise asks another origin.
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
        # The answer to a purge that failed.
        synthetic({"{"type":"about:blank","title":""} + resp.reason + {"","status":"} + resp.status + {"}
"});
    }
    return (deliver);
}
