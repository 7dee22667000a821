//! Several tabs of one browser, each with a page of another site.

use std::collections::HashMap;
use std::net::SocketAddr;

use fantoccini::wd::WindowHandle;

use crate::chromium::Chromium;
use crate::site;

pub(crate) struct Tabs<'a> {
    browser: &'a Chromium,
    handles: Vec<WindowHandle>,
}

impl<'a> Tabs<'a> {
    /// The tab that the browser has, and as many more as there are pages; each shows one page.
    pub(crate) async fn open(browser: &'a Chromium, pages: &[String]) -> Self {
        let mut tabs = Tabs { browser, handles: Vec::new() };
        for page in pages {
            tabs.add(page).await;
        }
        tabs
    }

    /// Opens one more tab, which is the one that commands reach then.
    pub(crate) async fn add(&mut self, page: &str) {
        let client = &self.browser.client;
        let handle = match self.handles.is_empty() {
            true => client.window().await.expect("a tab"),
            false => client.new_window(true).await.expect("another tab").handle,
        };
        self.handles.push(handle);
        self.reach(self.len() - 1).await;
        self.browser.open(page).await;
    }

    pub(crate) fn len(&self) -> usize {
        self.handles.len()
    }

    /// Commands reach this tab from now on.
    pub(crate) async fn reach(&self, tab: usize) {
        self.browser.client.switch_to_window(self.handles[tab].clone()).await.expect("the tab is there");
    }

    /// Closes the tab; commands reach the first that is left.
    pub(crate) async fn close(&mut self, tab: usize) {
        self.reach(tab).await;
        self.browser.client.close_window().await.expect("the tab closes");
        self.handles.remove(tab);
        self.reach(0).await;
    }

    /// Returns once the element shows exactly this text in every tab.
    pub(crate) async fn all_show(&self, css: &str, text: &str) {
        for tab in 0..self.len() {
            self.reach(tab).await;
            self.browser.until_text(css, text).await;
        }
    }
}

/// The beginning of a page that needs no icon, for which a browser would look otherwise.
pub(crate) const HEAD: &str = "<!doctype html><html lang=en><title>a site</title><link rel=icon href=data:,>";

/// A page of another site, which loads the module from the service at this address.
pub(crate) fn page(service: &str, body: &str) -> String {
    format!("{HEAD}<script type=module src=\"{service}/live-counter.js\"></script>{body}")
}

/// Serves these pages at `/0`, `/1` and so on, and returns their addresses.
pub(crate) async fn serve(pages: Vec<String>) -> Vec<String> {
    let paths = (0..pages.len()).map(|number| format!("/{number}"));
    let files: HashMap<_, _> = paths.clone().zip(pages.into_iter().map(String::into_bytes)).collect();
    let site = site::serve(files).await;
    paths.map(|path| format!("{site}{path}")).collect()
}

/// The socket address of `http://HOST:PORT`, for the rules of a browser that knows the host by a name.
pub(crate) fn addr(address: &str) -> SocketAddr {
    address.trim_start_matches("http://").parse().expect("host and port")
}

/// A script after which `hide(true)` hides the tab and `hide(false)` shows it. The browser of the tests shows all its tabs. Half a minute of
/// a hidden tab is a moment then.
pub(crate) const HIDING: &str = "const later = setTimeout;
    window.setTimeout = (act, ms, ...rest) => later(act, ms === 30000 ? 50 : ms, ...rest);
    let isHidden = false;
    Object.defineProperty(document, 'hidden', { get: () => isHidden });
    Object.defineProperty(document, 'visibilityState', { get: () => isHidden ? 'hidden' : 'visible' });
    window.hide = (hidden) => { isHidden = hidden; document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); };";
