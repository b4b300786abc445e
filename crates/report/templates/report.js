"use strict";
// Without it the page has everything but ease: here are values under pointer and keys, a range of days, and buttons that copy.
(() => {
  const make = (tag, parent, attributes = {}) => {
    const element = document.createElementNS(parent.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return parent.appendChild(element);
  };

  const main = document.querySelector("main");
  if (!main.dataset.days) return;
  const days = main.dataset.days.split(" ").map((day) => [day.slice(0, 10), Number(day.slice(11))]);
  const [since, until] = [Number(main.dataset.since), Number(main.dataset.until)];
  const charts = [...document.querySelectorAll("figure.chart > svg")].map((svg) => ({
    svg,
    lines: svg.querySelector(".lines"),
    marks: [...svg.querySelectorAll("g")],
    placed: [...svg.querySelectorAll("g rect, a rect")].map((rect) => [rect, ...["x", "width"].map((name) => parseFloat(rect.getAttribute(name)) / 100)]),
    dates: [...svg.querySelectorAll("text.date")],
  }));

  // What a mark says, where the pointer is or the keys went.
  const says = make("p", document.body, { class: "says", role: "status" });
  let at = null;
  const leave = () => {
    at?.classList.remove("at");
    at = null;
    says.textContent = "";
  };
  const read = (mark) => {
    if (mark === at) return;
    leave();
    at = mark;
    mark.classList.add("at");
    says.textContent = mark.dataset.says;
    const [box, width] = [mark.getBoundingClientRect(), document.documentElement.clientWidth];
    says.style.left = `${Math.max(8, Math.min(box.left + box.width / 2 - says.offsetWidth / 2, width - says.offsetWidth - 8))}px`;
    says.style.top = `${Math.max(8, box.top - says.offsetHeight - 8)}px`;
  };
  for (const title of document.querySelectorAll("figure svg g > title, figure svg rect > title")) {
    const mark = title.parentElement;
    mark.dataset.says = title.textContent;
    title.remove();
    if (mark instanceof SVGGElement) continue;
    mark.addEventListener("pointerenter", () => read(mark));
    mark.addEventListener("pointerleave", leave);
  }
  addEventListener("scroll", leave, { passive: true });

  const isShown = (mark) => mark.querySelector("rect").style.display !== "none";
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  for (const { svg, marks } of charts) {
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-description", "Arrow keys read its values.");
    svg.addEventListener("blur", leave);
    svg.addEventListener("pointerleave", leave);
    // A bar is read from its whole height, unless an incident is under the pointer.
    svg.addEventListener("pointermove", (event) => {
      if (event.target.closest("a")) return;
      const mark = marks.filter(isShown).find((mark) => {
        const box = mark.getBoundingClientRect();
        return box.left <= event.clientX && event.clientX < box.right;
      });
      if (mark) read(mark);
      else leave();
    });
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leave();
      const shown = marks.filter(isShown);
      if (!(event.key in steps) || !shown.length) return;
      event.preventDefault();
      const next = at && shown.includes(at) ? shown.indexOf(at) + steps[event.key] : event.key === "ArrowLeft" || event.key === "End" ? Infinity : 0;
      read(shown[Math.max(0, Math.min(shown.length - 1, next))]);
    });
  }

  // A range of days: pictures and stories show it, tables keep counting the whole window.
  const form = make("form", document.querySelector("header"), { class: "range" });
  const field = (text) => {
    const label = make("label", form);
    label.append(text);
    const ends = { min: days[0][0], max: days[days.length - 1][0] };
    return make("input", label, { type: "date", ...ends });
  };
  const [first, last] = [field("From "), field("to ")];
  const whole = make("button", form, { type: "button" });
  whole.textContent = "Whole window";
  const note = make("small", form);
  form.addEventListener("submit", (event) => event.preventDefault());

  const dayAt = (time) => days.findLast(([, start]) => start <= time) ?? days[0];
  let range = [since, until];
  const show = (from, to) => {
    [from, to] = [Math.max(since, from), Math.min(until, to)];
    if (!(to - from >= 60000)) return;
    range = [from, to];
    const isWhole = from === since && to === until;
    const [a, b] = [from, to].map((time) => (time - since) / (until - since));
    const across = (share) => (share - a) / (b - a);
    const ends = [dayAt(from)[0], dayAt(to - 1)[0]];
    [first, last].forEach((input, index) => {
      // A date that is being typed passes through others.
      if (input !== document.activeElement) input.value = ends[index];
    });
    whole.disabled = isWhole;
    note.textContent = isWhole ? "Or drag over a picture." : "Pictures and stories of these days; tables count the whole window.";
    for (const { svg, lines, placed, dates } of charts) {
      for (const [rect, x, width] of placed) {
        const [left, right] = [Math.max(0, across(x)), Math.min(1, across(x + width))];
        // Positions are rounded: less than this of the window is a neighbour that only adjoins.
        const isShown = (right - left) * (b - a) > 2e-5;
        rect.style.display = isShown ? "" : "none";
        if (!isShown) continue;
        rect.setAttribute("x", `${left * 100}%`);
        rect.setAttribute("width", `${(right - left) * 100}%`);
      }
      lines?.setAttribute("viewBox", `${a * 1000} 0 ${(b - a) * 1000} ${lines.getAttribute("height")}`);
      svg.querySelectorAll("text.day").forEach((text) => text.remove());
      for (const text of dates) text.style.display = isWhole ? "" : "none";
      if (isWhole || !dates.length) continue;
      const inside = days.filter(([, start]) => start >= from && start < to);
      const step = Math.ceil(inside.length / 6);
      for (const [index, [name, start]] of inside.entries()) {
        if (index % step || across((start - since) / (until - since)) > 0.94) continue;
        const text = make("text", svg, { class: "day", x: `${across((start - since) / (until - since)) * 100}%`, y: dates[0].getAttribute("y"), dy: "16" });
        text.textContent = new Date(`${name}T00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
      }
    }
    for (const time of document.querySelectorAll(".calendar time")) {
      time.closest("li").hidden = time.dateTime < ends[0] || time.dateTime > ends[1];
    }
    for (const story of document.querySelectorAll(".stories li")) {
      story.hidden = Number(story.dataset.until) <= from || Number(story.dataset.since) >= to;
    }
  };
  const chosen = () => {
    const start = (name) => days.find(([day]) => day === name)?.[1];
    const after = days[days.findIndex(([day]) => day === last.value) + 1]?.[1] ?? until;
    show(start(first.value) ?? since, after);
  };
  for (const input of [first, last]) {
    input.addEventListener("change", chosen);
    input.addEventListener("blur", () => show(...range));
  }
  whole.addEventListener("click", () => show(since, until));
  show(since, until);

  for (const { svg } of charts) {
    const timeAt = (event) => {
      const box = svg.getBoundingClientRect();
      return range[0] + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (range[1] - range[0]);
    };
    let [begun, drag] = [null, null];
    const end = () => {
      drag?.remove();
      [begun, drag] = [null, null];
    };
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button) return;
      begun = [event.clientX, timeAt(event)];
    });
    svg.addEventListener("pointermove", (event) => {
      if (!begun || Math.abs(event.clientX - begun[0]) < 8) return;
      const left = svg.getBoundingClientRect().left;
      drag ??= make("rect", svg, { class: "drag", y: "0", height: "100%" });
      drag.setAttribute("x", Math.min(begun[0], event.clientX) - left);
      drag.setAttribute("width", Math.abs(event.clientX - begun[0]));
    });
    svg.addEventListener("pointerup", (event) => {
      if (drag) show(...[begun[1], timeAt(event)].sort((one, other) => one - other));
      end();
    });
    svg.addEventListener("pointerleave", end);
  }

  // The SQL, to be run elsewhere.
  for (const sql of document.querySelectorAll(".sql pre")) {
    const button = document.createElement("button");
    button.textContent = "Copy";
    sql.before(button);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(sql.textContent);
      } catch {
        getSelection().selectAllChildren(sql);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
    });
  }
})();
