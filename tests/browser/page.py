"""page: the web page in a real browser. Usage: page.py ADDRESS DATABASE [FOLDER for pictures]

ADDRESS is of a search that is running (live updates must come), DATABASE its results. Prints PASS or FAIL for each promise.
"""
import os
import sqlite3
import sys
import tempfile

from chromium import Browser

base, database = sys.argv[1], sys.argv[2]
folder = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="actsearch-pictures-", dir=".")
browser = Browser()


def check(name, good, why=""):
    print(f"PASS {name}" if good else f"FAIL {name}: {why[:400]!r}", flush=True)
    if not good:
        browser.screenshot(os.path.join(folder, f"failed-{name}.png"))


def scalar(sql):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchone()[0]


def go(path):
    browser.open("about:blank")
    browser.open(base + path)
    return browser.wait("document.querySelector('main h1')?.textContent.length > 1")


def text(selector):
    return browser.run(f"document.querySelector({selector!r})?.innerText ?? ''")


def content():
    go("")
    rows = browser.wait("document.querySelectorAll('.ranking tbody tr td.main').length >= 5", 60)
    check("the_list_is_there", rows, text("main"))
    check("it_names_the_experiment", text("h1") == scalar("SELECT name FROM experiment"), text("h1"))
    first = browser.run("document.querySelector('.ranking tbody .formula').textContent")
    check("each_row_has_a_picture_and_a_known_function",
          browser.run("[...document.querySelectorAll('.ranking tbody tr')].every(row => row.querySelector('path.f')?.getAttribute('d').length > 20)")
          and scalar(f"SELECT count(*) FROM candidate WHERE activation = '{first}'") == 1, first)
    check("the_course_is_drawn", browser.wait("document.querySelectorAll('.plot canvas').length >= 1"), text("main"))
    check("it_says_that_it_is_live", browser.wait("document.getElementById('live').textContent === 'live'"), text("#live"))


def live():
    before = browser.run("document.querySelector('.tiles').innerText")
    done = scalar("SELECT done FROM progress")
    check("it_goes_along_with_the_search", browser.wait(f"document.querySelector('.tiles').innerText !== {before!r}", 60), before)
    check("without_asking_for_the_page_again", browser.run("performance.getEntriesByType('navigation').length") == 1)
    number = "Number(document.querySelector('.tiles .tile:nth-child(3) .value').textContent.replace(/[^0-9]/g, ''))"
    check("what_it_says_is_new", browser.wait(f"{number} > {done}", 60), f"{done} before, {browser.run(number)} now")


def narrow(name):
    """Nothing sticks out to the right, and all that can be touched is large enough."""
    wide = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(f"{name}_fits_a_phone", wide <= 0, f"{wide} pixels stick out")


def pictures():
    """Each view, in both colours, on a desk and on a phone."""
    activation = scalar("SELECT activation FROM ranking LIMIT 1")
    from urllib.parse import quote
    views = {"overview": "", "function": "#/function/" + quote(activation, safe=""), "controller": "#/controller", "workers": "#/workers", "failures": "#/failures"}
    grounds = set()
    for scheme in ("light", "dark"):
        browser.colours(scheme)
        for size, (width, height, phone) in {"desk": (1280, 900, False), "phone": (390, 844, True)}.items():
            browser.size(width, height, phone)
            for name, path in views.items():
                there = go(path) and browser.wait("document.querySelector('.card table, .card .empty')")
                browser.wait("document.querySelector('.plot canvas')", 3 if name in ("overview", "function") else 0.3)
                if not there:
                    check(f"{name}_is_there_{scheme}_{size}", False, text("main"))
                browser.screenshot(os.path.join(folder, f"{name}-{scheme}-{size}.png"))
                if phone and scheme == "light":
                    narrow(name)
        grounds.add(browser.run("getComputedStyle(document.documentElement).backgroundColor"))
    check("dark_is_another_ground_than_light", len(grounds) == 2, str(grounds))
    browser.colours("light")
    browser.size(1280, 900)


def function_page():
    from urllib.parse import quote
    activation = scalar("SELECT activation FROM ranking WHERE reference ORDER BY rank LIMIT 1")
    go("#/function/" + quote(activation, safe=""))
    browser.wait("document.querySelector('.facts')")
    rank = scalar(f"SELECT rank FROM ranking WHERE activation = '{activation}'")
    check("a_function_has_its_formula_rank_and_code", text("h1") == activation and f"rank " in text(".head .about") and "torch" in text("#code")
          and browser.run("document.querySelectorAll('.plot canvas').length") >= 2, f"{rank}: {text('main')}")
    browser.run("document.querySelector('[role=tab][aria-selected=true]').focus()")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    check("the_arrow_keys_choose_the_language", "double" in text("#code") and browser.run("document.activeElement.textContent") == "C", text("#code"))
    go("#/function/never(x)")
    check("an_unknown_function_is_said_to_be_unknown", browser.wait("document.querySelector('[role=alert]')?.innerText.includes('never(x)')"), text("main"))
    browser.complaints()  # the browser itself complains about the 404


def keyboard():
    """All of it without a mouse: each thing that can be used is reached by Tab, in order, is seen to have the focus, and has a name."""
    go("")
    browser.wait("document.querySelectorAll('.ranking tbody tr td.main').length >= 5")
    usable = browser.run("[...document.querySelectorAll('a[href], button:not(:disabled), input, [tabindex=\"0\"]')].filter(node => node.checkVisibility()).length")
    seen, unseen = set(), []
    for _ in range(usable + 2):
        browser.press("Tab")
        where = browser.run("""(() => { const at = document.activeElement, style = getComputedStyle(at);
            const all = [...document.querySelectorAll('*')];
            return [all.indexOf(at), at.outerHTML.slice(0, 80), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0] })()""")
        if where[1].startswith("<body"):
            break
        seen.add(where[1] + str(where[0]))
        if not where[2]:
            unseen.append(where[1])
    check("tab_reaches_all_that_can_be_used", len(seen) >= usable - 2, f"{len(seen)} of {usable}")
    check("what_has_the_focus_is_seen", not unseen, str(unseen[:3]))

    browser.run("document.querySelector('[data-key=sort-cost]').focus()")
    browser.press("Enter")
    check("a_header_sorts_by_keyboard", browser.wait("document.querySelector('[data-key=sort-cost]').closest('th').getAttribute('aria-sort') === 'ascending'")
          and browser.wait("document.activeElement.dataset.key === 'sort-cost'"), browser.run("location.hash"))
    browser.run("document.querySelector('input[type=search]').focus()")
    browser.type("sigmoid")
    check("the_filter_filters", browser.wait("[...document.querySelectorAll('.ranking tbody .formula')].every(one => one.textContent.includes('sigmoid'))")
          and "filter=sigmoid" in browser.run("location.hash"), browser.run("location.hash"))
    browser.run("document.querySelector('.ranking tbody a').focus()")
    browser.press("Enter")
    check("enter_opens_a_function", browser.wait("location.hash.startsWith('#/function/') && document.querySelector('.facts')"), browser.run("location.hash"))
    check("the_focus_is_at_the_new_page", browser.run("document.activeElement.id") == "main", browser.run("document.activeElement.outerHTML.slice(0, 60)"))


def names():
    """Each control, chart and table has a name for those who do not see it."""
    roles = {"button", "link", "searchbox", "textbox", "tab", "img", "image", "table", "navigation", "progressbar", "ProgressIndicator", "meter", "region"}
    nameless = []
    for path in ("", "#/controller", "#/workers", "#/failures", "#/function/relu(x)"):
        go(path)
        browser.wait("document.querySelector('.card table, .card .empty')")
        nameless += [f"{role} in {path or 'overview'}" for role, name in browser.tree() if role in roles and not name.strip()]
    check("every_control_has_a_name", not nameless, ", ".join(nameless))


def theme():
    go("")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    system = browser.run(ground)
    browser.run("document.getElementById('theme').focus()")
    browser.press("Enter")
    browser.press("Enter")
    dark = browser.run(ground)
    go("")
    check("the_colours_can_be_chosen_and_are_kept", dark != system and browser.run(ground) == dark, f"{system} {dark}")
    browser.press("Tab")
    browser.run("localStorage.clear()")


def hostile():
    """A worker that calls itself by HTML, and an event that is a script: text, and nothing but text."""
    address = os.environ["HOSTILE"]
    browser.open("about:blank")
    browser.open(address + "#/workers")
    check("names_of_workers_are_text", browser.wait("document.querySelector('main').innerText.includes('<img src=x')")
          and browser.run("document.querySelectorAll('main img, main script').length") == 0, text("main"))
    browser.open("about:blank")
    browser.open(address + "#/failures")
    check("reasons_and_events_are_text", browser.wait("document.querySelector('main').innerText.includes('<script>')")
          and browser.run("document.querySelectorAll('main img, main script').length") == 0 and browser.run("document.title") != "taken", text("main"))


def complaints():
    found = browser.complaints()
    check("the_console_is_silent", not found, "; ".join(found)[:600])


try:
    browser.size(1280, 900)
    browser.colours("light")
    parts = [content, live, pictures, complaints, function_page, keyboard, names, theme, hostile, complaints]
    if os.environ.get("SHORT"):
        parts = [content, live, keyboard, names, hostile, complaints]
    for part in parts:
        part()
finally:
    browser.close()
