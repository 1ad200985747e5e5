// Sorts tables and filters the one of the fleet. The address keeps both: #filter=h100&sort=driver&order=descending
"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const missing = "\u2014";
  const value = (cell) => cell.dataset.value ?? cell.textContent.trim();
  const heads = (table) => [...table.tHead.rows[0].cells];
  const place = (table, key) => heads(table).findIndex((head) => head.dataset.column === key);

  // What is missing is last, whichever way it goes.
  const sort = (table, key, order) => {
    const column = place(table, key);
    if (column < 0) return;
    const sign = order === "descending" ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map((row, number) => [value(row.cells[column]), number, row]);
    rows.sort(([one, first], [other, second]) =>
      (one === missing) - (other === missing) || sign * collator.compare(one, other) || first - second);
    table.tBodies[0].append(...rows.map(([, , row]) => row));
    heads(table).forEach((head, number) => {
      if (number === column) head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };

  const fleet = document.getElementById("fleet");
  const box = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const original = fleet ? [...fleet.tBodies[0].rows] : [];
  const texts = new Map(original.map((row) => [row, row.textContent.toLowerCase()]));

  const has = (word) => {
    const [, key, rest] = /^([a-z]+):(.+)$/.exec(word) ?? [];
    const column = key ? place(fleet, key) : -1;
    if (column < 0) return (row) => texts.get(row).includes(word);
    return (row) => value(row.cells[column]).toLowerCase().includes(rest);
  };
  const filter = () => {
    const tests = box.value.toLowerCase().split(/\s+/).filter(Boolean).map(has);
    let left = 0;
    for (const row of original) {
      row.hidden = !tests.every((test) => test(row));
      left += row.hidden ? 0 : 1;
    }
    const all = original.length;
    shown.value = left === all ? `${all} machines` : `${left} of ${all} machines`;
  };

  const asked = () => new URLSearchParams(location.hash.slice(1));
  const remember = (changes) => {
    const words = location.hash.includes("=") ? asked() : new URLSearchParams();
    for (const [key, text] of Object.entries(changes)) {
      if (text) words.set(key, text);
      else words.delete(key);
    }
    history.replaceState(null, "", words.size ? `#${words}` : location.pathname + location.search);
  };

  const follow = () => {
    if (!location.hash.includes("=")) {
      const target = document.getElementById(location.hash.slice(1));
      if (target?.tagName === "DETAILS") target.open = true;
      return;
    }
    if (!fleet) return;
    const words = asked();
    box.value = words.get("filter") ?? "";
    if (words.get("sort")) sort(fleet, words.get("sort"), words.get("order"));
    filter();
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of heads(table)) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        sort(table, head.dataset.column, order);
        if (table === fleet) remember({ sort: head.dataset.column, order: order === "descending" ? order : "" });
      });
    }
  }
  if (fleet) {
    box.closest(".tools").hidden = false;
    let waiting = 0;
    box.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { filter(); remember({ filter: box.value.trim() }); }, 120);
    });
    for (const tile of document.querySelectorAll("a.tile")) {
      tile.addEventListener("click", () => fleet.scrollIntoView());
    }
  }
  addEventListener("hashchange", follow);
  follow();

  // What is folded could not be read on paper; what would fill hundreds of pages stays folded.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open]):not(.facts-of, .more)")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
})();
