"use strict";
// Where a plot is wider than its window, look at what it is about: a share of its width from the left.
for (const box of document.querySelectorAll("[data-look]")) {
  box.scrollLeft = Number(box.dataset.look) * box.scrollWidth - box.clientWidth / 2;
}
// Click on a column's head: sort the table by it; again: the other way round. Without the script the page is complete.
for (const head of document.querySelectorAll("table.sortable th")) {
  head.tabIndex = 0;
  head.setAttribute("role", "button");
  const sort = () => {
    const table = head.closest("table");
    const body = table.tBodies[0];
    const column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
    const compare = (a, b) => {
      const x = Number(key(a)), y = Number(key(b));
      const order = Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x - y;
      return down ? -order : order;
    };
    const fixed = (row) => row.classList.contains("rest");
    const rows = [...body.rows];
    body.append(...rows.filter((row) => !fixed(row)).sort(compare), ...rows.filter(fixed));
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
}
