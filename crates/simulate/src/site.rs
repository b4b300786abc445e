//! The site: a small shop with a blog, an interface for its own pages, and a folder of packages. Which paths there are, who
//! answers them (the application or a file), how long and how large the answer is.

use std::sync::LazyLock;

use crate::dice::Dice;

const MATERIALS: [&str; 12] = [
    "oak", "walnut", "birch", "linen", "wool", "copper", "brass", "slate", "cork", "glass",
    "steel", "cotton",
];
const THINGS: [&str; 12] = [
    "desk-lamp",
    "bookshelf",
    "kettle",
    "blanket",
    "stool",
    "tray",
    "clock",
    "vase",
    "planter",
    "mirror",
    "basket",
    "teapot",
];
const POSTS: [&str; 20] = [
    "oiling-a-table",
    "small-kitchens",
    "how-we-pack",
    "caring-for-copper",
    "the-new-workshop",
    "autumn-colours",
    "returns-made-easy",
    "a-lamp-in-ten-steps",
    "wool-and-water",
    "meet-the-weavers",
    "gifts-under-thirty",
    "repairing-a-stool",
    "why-cork",
    "winter-hours",
    "choosing-a-clock",
    "the-slate-quarry",
    "glass-from-scraps",
    "shipping-by-rail",
    "open-day",
    "our-first-year",
];
pub(crate) const CATEGORIES: [&str; 6] = [
    "lighting", "kitchen", "living", "garden", "textiles", "sale",
];
pub(crate) const INFO: [&str; 5] = ["/about", "/contact", "/shipping", "/returns", "/privacy"];
pub(crate) const PACKAGES: [&str; 6] = [
    "shopkit",
    "shopkit-client",
    "labelprint",
    "stockfeed",
    "barcodes",
    "taxrates",
];
pub(crate) const WORDS: [&str; 16] = [
    "oak lamp",
    "kettle",
    "wool blanket",
    "gift",
    "copper",
    "mirror round",
    "basket",
    "planter large",
    "clock",
    "linen",
    "tray",
    "teapot",
    "bücherregal",
    "étagère",
    "stool 45cm",
    "sale",
];

/// Files that every page needs; their names change with their content, so browsers keep them for good.
pub(crate) const SHELL: [&str; 4] = [
    "/assets/app.3f9c2d71.css",
    "/assets/app.7702c5fe.js",
    "/assets/karla.9a1d04c8.woff2",
    "/favicon.ico",
];

/// The page of the single-page app, and how often it asks whether the cart has changed elsewhere.
pub(crate) const APP: &str = "/app/";
pub(crate) const APP_TIMER_S: f64 = 30.0;

/// The product slugs, the popular ones first.
pub(crate) static PRODUCTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let pairs = (0..12).flat_map(|shift| (0..12).map(move |thing| (thing, (thing + shift) % 12)));
    pairs
        .map(|(thing, material)| format!("{}-{}", MATERIALS[material], THINGS[thing]))
        .collect()
});

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// Nginx itself: files, folders it denies, files that are not there.
    File,
    /// The application behind it.
    App,
}

/// The answer when all is well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Page {
    pub(crate) handler: Handler,
    pub(crate) status: u16,
    pub(crate) bytes: u32,
    /// Median time that the application takes.
    pub(crate) median_ms: f64,
}

/// Looks `target` (path and arguments) up.
pub(crate) fn page(method: &str, target: &str) -> Page {
    let path = target.split('?').next().unwrap_or(target);
    let size = |low: u32, span: u32| low + hash(path) % span;
    let file = |status, bytes| Page {
        handler: Handler::File,
        status,
        bytes,
        median_ms: 0.0,
    };
    let app = |status, bytes, median_ms| Page {
        handler: Handler::App,
        status,
        bytes,
        median_ms,
    };

    if path.contains("/.") && !path.starts_with("/.well-known/") {
        return file(403, 153);
    }
    if let Some(image) = path.strip_prefix("/img/") {
        let known = image
            .strip_suffix(".webp")
            .and_then(|name| name.rsplit_once('-'))
            .is_some_and(|(slug, _)| is_picture(slug));
        return if known {
            file(200, size(9_000, 60_000))
        } else {
            file(404, 153)
        };
    }
    if SHELL.contains(&path) {
        return file(200, size(2_000, 80_000));
    }
    if path.starts_with("/assets/")
        || path.starts_with("/apple-touch-icon")
        || path.starts_with("/.well-known/")
    {
        return file(404, 153);
    }
    if let Some(rest) = path.strip_prefix("/packages/") {
        let name = rest
            .trim_start_matches("simple/")
            .trim_start_matches("files/");
        let known = PACKAGES.iter().any(|package| {
            name.trim_end_matches('/') == *package || name.starts_with(&format!("{package}-"))
        });
        return match (known, rest.starts_with("files/")) {
            (true, true) => file(200, size(20_000, 900_000)),
            (true, false) => file(200, size(600, 3_000)),
            (false, _) => file(404, 153),
        };
    }
    match path {
        "/robots.txt" => return file(200, 134),
        "/sitemap.xml" => return file(200, 28_411),
        _ => {}
    }
    match (method, path) {
        ("POST", "/account/login") => app(302, 0, 180.0),
        ("POST", "/api/cart") => app(201, size(180, 60), 60.0),
        ("POST", "/checkout") => app(302, 0, 320.0),
        ("POST", _) => app(if is_known(path) { 405 } else { 404 }, 1_420, 25.0),
        // Only the status: it comes out of a cache.
        ("HEAD", "/") => app(200, 0, 5.0),
        (_, "/") => app(200, 11_240, 55.0),
        (_, "/search") => app(200, size(5_000, 1) + hash(target) % 6_000, 160.0),
        (_, "/blog" | "/account/orders/") => app(301, 0, 8.0),
        (_, "/feed.xml") => app(200, 18_870, 30.0),
        (_, "/account") => app(200, 6_310, 90.0),
        (_, "/admin/") => app(200, 9_120, 120.0),
        (_, "/api/cart") => app(200, 214, 22.0),
        (_, "/api/prices") => app(200, 96, 18.0),
        _ if is_known(path) => app(200, size(6_500, 9_000), 70.0),
        _ => app(404, 4_310, 25.0),
    }
}

fn is_known(path: &str) -> bool {
    if let Some(slug) = path.strip_prefix("/product/") {
        return PRODUCTS.iter().any(|product| product == slug);
    }
    if let Some(slug) = path.strip_prefix("/blog/") {
        return slug.is_empty() || POSTS.contains(&slug);
    }
    if let Some(slug) = path.strip_prefix("/category/") {
        return CATEGORIES.contains(&slug);
    }
    INFO.contains(&path)
        || [
            "/",
            "/search",
            "/cart",
            "/checkout",
            "/checkout/done",
            "/account",
            "/account/login",
            "/account/reset",
            "/api/cart",
            APP,
        ]
        .contains(&path)
}

fn is_picture(slug: &str) -> bool {
    POSTS.contains(&slug)
        || CATEGORIES.contains(&slug)
        || slug == "hero"
        || PRODUCTS.iter().any(|product| product == slug)
}

pub(crate) fn product(dice: &mut Dice) -> String {
    format!("/product/{}", PRODUCTS[dice.popular(PRODUCTS.len())])
}

pub(crate) fn post(dice: &mut Dice) -> String {
    format!("/blog/{}", POSTS[dice.popular(POSTS.len())])
}

pub(crate) fn category(dice: &mut Dice) -> String {
    let path = format!("/category/{}", dice.pick(&CATEGORIES));
    match dice.range(1..8) {
        page @ (2 | 3) => format!("{path}?page={page}"),
        _ => path,
    }
}

pub(crate) fn search(dice: &mut Dice) -> String {
    format!(
        "/search?q={}",
        percent_encoded(WORDS[dice.range(0..WORDS.len())])
    )
}

/// Any page that a link leads to.
pub(crate) fn any_page(dice: &mut Dice) -> String {
    match dice.range(0..20) {
        0 => "/".to_owned(),
        1..=10 => product(dice),
        11..=13 => category(dice),
        14..=17 => post(dice),
        18 => "/blog/".to_owned(),
        _ => (*dice.pick(&INFO)).to_owned(),
    }
}

/// What a form sends: a space is `+`, bytes beyond ASCII are `%HH`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// FNV-1a: sizes that stay the same for a path.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Actor;

    #[track_caller]
    fn check(request: &str, status: u16, handler: Handler) {
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let page = page(method, target);
        assert_eq!((page.status, page.handler), (status, handler), "{request}");
    }

    #[test]
    fn paths_have_their_answers() {
        check("GET /", 200, Handler::App);
        check("GET /search?q=oak+lamp", 200, Handler::App);
        check("GET /blog", 301, Handler::App);
        check("GET /.env", 403, Handler::File);
        check("GET /.git/config", 403, Handler::File);
        check("GET /wp-login.php", 404, Handler::App);
        check("POST /account/login", 302, Handler::App);
        check("GET /assets/app.3f9c2d71.css", 200, Handler::File);
        check("GET /img/hero-1.webp", 200, Handler::File);
        check("GET /img/nothing-1.webp", 404, Handler::File);
        check("GET /packages/simple/shopkit/", 200, Handler::File);
        check(
            "GET /packages/files/shopkit-2.1.0-py3-none-any.whl",
            200,
            Handler::File,
        );
        check("GET /packages/simple/numpy/", 404, Handler::File);
    }

    #[test]
    fn every_link_leads_somewhere() {
        let mut dice = Dice::new(1, Actor::Story, 0, 0);
        for _ in 0..500 {
            let target = any_page(&mut dice);
            assert_eq!(page("GET", &target).status, 200, "{target}");
        }
    }
}
