// SPDX-License-Identifier: BSL-1.0
// Judges the page that it stands in, and tells the page around it.
addEventListener("load", () => {
    const wrong = [];
    const say = what => wrong.push(what.replace(/\s+/g, " ").slice(0, 200));

    // Nothing runs but this, and nothing is loaded.
    if (document.scripts.length !== 1) say(`${document.scripts.length} scripts, expected this one`);
    for (const one of document.querySelectorAll("img, link, iframe, object, embed, base, a[href]"))
        say(`an element <${one.localName}>`);
    for (const one of performance.getEntriesByType("resource")) say(`loaded ${one.name}`);
    for (const one of document.querySelectorAll("*"))
        for (const attribute of one.attributes)
            if (attribute.name.startsWith("on")) say(`an attribute ${attribute.name}`);
    if (/\b(NaN|Infinity|undefined|null)\b/.test(document.querySelector("main").innerText))
        say("NaN, Infinity, undefined or null in the text");
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth)
        say(`${root.scrollWidth} px of content in ${root.clientWidth} px`);

    // Pictures: each has marks inside of its box, a name, and texts that can be read.
    const pictures = [...document.querySelectorAll("svg")];
    let marks = 0;
    for (const picture of pictures) {
        const title = picture.querySelector(":scope > title")?.textContent ?? "";
        const told = picture.getAttribute("aria-labelledby")?.split(" ") ?? [];
        if (!title || !picture.querySelector(":scope > desc")?.textContent) say("a picture without a name");
        if (told.length !== 2 || told.some(id => document.querySelectorAll("#" + CSS.escape(id)).length !== 1))
            say(`${title}: its name is not told`);
        const box = picture.viewBox.baseVal;
        const inside = seen =>
            [seen.x, seen.y, seen.width, seen.height].every(Number.isFinite) && seen.x >= box.x - 1 &&
            seen.y >= box.y - 1 && seen.x + seen.width <= box.x + box.width + 1 &&
            seen.y + seen.height <= box.y + box.height + 1;
        const own = [...picture.querySelectorAll(".mark")];
        if (own.length === 0) say(`${title}: no marks`);
        marks += own.length;
        for (const mark of own) {
            const seen = mark.getBBox();
            if (seen.width <= 0 || seen.height <= 0) say(`${title}: a mark that cannot be seen`);
        }
        for (const one of picture.querySelectorAll("path, circle, rect"))
            if (!inside(one.getBBox())) say(`${title}: a ${one.localName} outside of it`);
        for (const one of picture.querySelectorAll("*"))
            for (const name of ["d", "x", "y", "cx", "cy", "r", "width", "height"])
                if (/NaN|inf/i.test(one.getAttribute(name) ?? "")) say(`${title}: ${name} is no number`);
        const texts = [...picture.querySelectorAll("text")].map(one => ({what: one.textContent, seen: one.getBBox()}));
        texts.forEach((one, i) => {
            if (!inside(one.seen)) say(`${title}: "${one.what}" outside of it`);
            for (const other of texts.slice(0, i))
                if (Math.min(one.seen.x + one.seen.width, other.seen.x + other.seen.width) -
                            Math.max(one.seen.x, other.seen.x) > 0.5 &&
                    Math.min(one.seen.y + one.seen.height, other.seen.y + other.seen.height) -
                            Math.max(one.seen.y, other.seen.y) > 3)  // the boxes of lines are higher than letters
                    say(`${title}: "${one.what}" over "${other.what}"`);
        });
        const shown = 12 * (picture.getScreenCTM()?.a ?? 0);
        if (texts.length !== 0 && shown < 9.5) say(`${title}: text of ${shown.toFixed(1)} px`);
    }

    // Contrast, after WCAG 2: 4.5 for texts, 3 for marks.
    const parts = colour => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = colour => {
        const [red, green, blue] = parts(colour).map(part => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (one, other) => {
        const [less, more] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (more + 0.05) / (less + 0.05);
    };
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (colour.startsWith("rgb(")) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    for (const element of document.querySelectorAll("main *")) {
        const style = getComputedStyle(element);
        const drawn = element instanceof SVGElement;
        const text = [...element.childNodes].some(one => one.nodeType === 3 && one.data.trim());
        if (text && !["title", "desc"].includes(element.localName) && element.getClientRects().length !== 0) {
            const seen = contrast(drawn ? style.fill : style.color, behind(element));
            if (!(seen >= 4.5)) say(`contrast ${seen.toFixed(2)} of "${element.textContent}"`);
        }
        if (drawn && element.closest(".mark") && ["path", "circle", "rect"].includes(element.localName) &&
            !element.classList.contains("ground")) {
            const colour = style.stroke === "none" ? style.fill : style.stroke;
            const seen = contrast(colour, behind(element));
            if (!(seen >= 3)) say(`contrast ${seen.toFixed(2)} of a mark in ${element.closest("svg").textContent}`);
        }
    }

    const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const name = `${location.hash.slice(1)} ${scheme}: `;
    parent.postMessage(`${name}${pictures.length} pictures, ${marks} marks, ${wrong.length} wrong\n` +
                           [...new Set(wrong)].map(one => `${name}WRONG ${one}\n`).join(""), "*");
});
