// Shows the hits of the page and its site in the elements of a page that was written for busuanzi or Vercount, and counts the visit.
(() => {
  const own = document.currentScript ?? document.querySelector('script[src*="/busuanzi.pure.mini.js"]');
  const kinds = ["site_pv", "page_pv", "site_uv"];
  const services = ["busuanzi", "vercount"];
  const each = (part, kind, change) => {
    for (const service of services) {
      const element = document.getElementById(`${service}_${part}_${kind}`);
      if (element) change(element);
    }
  };
  const show = (numbers) => {
    for (const kind of kinds) {
      // The number of visitors is 0 where visitors are not counted, so its element stays hidden.
      const shown = numbers && (kind !== "site_uv" || numbers[kind] > 0);
      if (shown) each("value", kind, (element) => (element.textContent = numbers[kind]));
      each("container", kind, (element) => (element.style.display = shown ? "inline" : "none"));
    }
  };
  const name = `BusuanziCallback_${Math.floor(Math.random() * 2 ** 40)}`;
  const script = document.createElement("script");
  const end = (numbers) => {
    delete window[name];
    script.remove();
    if (document.readyState !== "loading") show(numbers);
    else document.addEventListener("DOMContentLoaded", () => show(numbers));
  };
  window[name] = end;
  script.onerror = () => end(null);
  const url = new URL("/busuanzi", own.src);
  url.searchParams.set("jsonpCallback", name);
  // The Referer that a browser sends to another origin names the site, but not the page.
  url.searchParams.set("url", location.href.split(/[?#]/)[0]);
  script.src = url.href;
  document.head.append(script);
})();
