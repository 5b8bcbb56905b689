// What the generated HTML leaves out for readers without a mouse or without eyes.
function mend() {
  const boxes = ".bd-article :is(table, div.math, pre, figure, a.image-reference)";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // wide: the arrow keys scroll it
    // its edge fades where it goes on
    const left = () => box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.onscroll = () => box.classList.toggle("goes-on", left() > 2);
    box.onscroll();
  }
  // docutils calls the bibliography a list; its entries say that they are not list items
  document.querySelectorAll(".citation-list[role=list]").forEach(list => list.removeAttribute("role"));
}
addEventListener("load", mend);
addEventListener("resize", mend);

// Sphinx skips numbers in a search: chapters are found by theirs, from the links beside the page.
addEventListener("load", () => {
  const asked = (new URLSearchParams(location.search).get("q") || "").trim();
  const results = document.getElementById("search-results");
  if (!results || !/^\d\d$/.test(asked)) return;
  const list = document.createElement("ul");
  list.id = "chapter-by-number";
  for (const link of document.querySelectorAll(".bd-sidebar-primary nav a")) {
    if (link.textContent.trim().startsWith(`${asked} ·`)) {
      list.append(document.createElement("li"));
      list.lastChild.append(link.cloneNode(true));
    }
  }
  results.before(list);
});
