// What the generated HTML leaves out for readers without a mouse or without eyes.
function mend() {
  for (const box of document.querySelectorAll(".bd-article :is(table, div.math, pre, figure)")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // wide: the arrow keys scroll it
  }
  // docutils calls the bibliography a list; its entries say that they are not list items
  document.querySelectorAll(".citation-list[role=list]").forEach(list => list.removeAttribute("role"));
}
addEventListener("load", mend);
addEventListener("resize", mend);
