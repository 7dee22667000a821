//! The addresses of pages.

use super::*;

pub(crate) async fn the_address_of_a_page_is_kept_beside_it(backend: &dyn Backend) {
    let store = backend.store();
    let pages: Vec<Topic> = ["page-a", "page-b", "page-c"].map(|name| name.parse().expect("a topic")).into();
    assert_eq!(store.addresses(&pages).await.expect("addresses"), [None, None, None]);
    let long = format!("example.com/{}", "a".repeat(2000));
    for (page, address) in
        [(&pages[0], "www.example.com/a%20b"), (&pages[2], &long), (&pages[0], "www.example.com/a%20b")]
    {
        store.keep_address(page, address).await.expect("kept");
    }
    assert_eq!(store.topic_count().await.expect("a number"), 0, "an address is no topic");
    let again = backend.store();
    let found = again.addresses(&pages).await.expect("addresses");
    assert_eq!(found, [Some("www.example.com/a%20b".to_owned()), None, Some(long)]);
    assert_eq!(again.addresses(&[]).await.expect("addresses"), Vec::<Option<String>>::new());
    assert_eq!(bump(&*again, &pages[0], 1).await, 1, "the page is as new as before");
}
