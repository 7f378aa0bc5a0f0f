// page: which view is shown, and what keeps it up to date.
import {el, renew} from './parts.js';
import {redraw} from './charts.js';
import {overview} from './overview.js';
import {functionView} from './function.js';
import {workers, failures, controller} from './lists.js';

const views = {overview, function: functionView, controller, workers, failures};

const main = document.getElementById('main'), live = document.getElementById('live');
const state = {progress: null, received: 0, view: null, address: null};

// ---- which view

// '#/function/x%2B1?offset=25' → {name: 'function', rest: 'x+1', query: {offset: '25'}}
function addressOf(hash) {
  const [path, query] = hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  let text = '';
  try {
    text = decodeURIComponent(rest.join('/'));
  } catch (error) { /* an address that somebody has typed */ }
  return {name: views[name] ? name : 'overview', rest: text, query: Object.fromEntries(new URLSearchParams(query || ''))};
}

function goTo(query) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '' && value !== undefined)).toString();
  const path = window.location.hash.split('?')[0] || '#/';
  window.history.replaceState(null, '', path + (text ? `?${text}` : ''));
  state.address = addressOf(window.location.hash);
  refresh();
}

async function show() {
  const address = addressOf(window.location.hash);
  const same = state.address && state.address.name === address.name && state.address.rest === address.rest;
  state.address = address;
  if (!same) {
    state.view = views[address.name](address, {goTo, address: () => state.address, progress: () => state.progress});
    main.replaceChildren(state.view.node);
    document.title = `${state.view.title || 'actsearch'} – actsearch`;
    window.scrollTo(0, 0);
    if (state.moved) main.focus({preventScroll: true});
    state.moved = true;
  }
  for (const link of document.querySelectorAll('#views a'))
    if (link.dataset.view === address.name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  if (state.progress && state.view.progress) state.view.progress(state.progress, 0);
  await refresh();
}

// ---- what is new

const EVERY_MS = 2500, IDLE = 40; // a view asks for its lists no more often, and no more than one part in so many of the time
let asked = 0, took = 0, waiting = null, running = false;
const pause = () => Math.max(EVERY_MS, IDLE * took);

async function refresh() {
  const view = state.view;
  if (!view || !view.refresh) return;
  if (running) { // once more when it is done
    plan(pause());
    return;
  }
  running = true;
  asked = Date.now();
  try {
    await view.refresh();
    problem(null);
  } catch (error) {
    problem(error.message);
  }
  took = Date.now() - asked;
  running = false;
}

function plan(ms) {
  if (waiting === null)
    waiting = window.setTimeout(() => {
      waiting = null;
      refresh();
    }, ms);
}

function problem(text) {
  const old = document.getElementById('problem');
  if (old && old.textContent === text) return;
  if (old) old.remove();
  if (text) main.prepend(el('p.notice', {id: 'problem', role: 'alert'}, text));
}

function take(progress) {
  state.progress = progress;
  state.received = Date.now();
  if (state.view && state.view.progress) state.view.progress(progress, 0);
  renew(document.getElementById('foot'),
        el('p', {}, `actsearch ${progress.version} · `, el('a', {href: '/metrics'}, 'metrics'), ' · ', el('a', {href: '/api/ranking'}, 'JSON'), ' · ', el('a', {href: '/licences.txt'}, 'licences')));
}

let source = null;
function listen() {
  if (source) return;
  source = new EventSource('/api/live');
  source.addEventListener('progress', event => {
    take(JSON.parse(event.data));
    connection(state.progress.phase === 'finished' ? 'finished' : 'live');
    plan(Math.max(0, asked + pause() - Date.now()));
  });
  source.addEventListener('error', () => {
    connection('gone');
    if (source.readyState === EventSource.CLOSED) { // refused: too many listen, or it is going down
      source = null;
      window.setTimeout(listen, 5000);
    }
  });
}

function connection(how) {
  const texts = {live: 'live', finished: 'finished', gone: 'not connected: what is shown may be old'};
  live.className = `live ${how}`;
  if (live.textContent !== texts[how]) live.textContent = texts[how];
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') listen();
  else if (source) {
    source.close();
    source = null;
  }
});
window.setInterval(() => { // the clock between two events
  if (state.progress && state.view && state.view.progress && state.progress.phase !== 'finished' && live.className === 'live live')
    state.view.progress(state.progress, (Date.now() - state.received) / 1000);
}, 1000);

// ---- colours

const themes = [['', 'Colours: as the system has them', '◐'], ['light', 'Colours: light', '○'], ['dark', 'Colours: dark', '●']];
const button = document.getElementById('theme');
let theme = 0;

function paint() {
  const [name, label, sign] = themes[theme];
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  button.setAttribute('aria-label', label);
  button.title = label;
  button.textContent = sign;
  redraw();
}

try {
  theme = Math.max(0, themes.findIndex(([name]) => name === window.localStorage.getItem('theme')));
} catch (error) { /* storage is forbidden here */ }
button.addEventListener('click', () => {
  theme = (theme + 1) % themes.length;
  paint();
  try {
    window.localStorage.setItem('theme', themes[theme][0]);
  } catch (error) { /* then it is for this time */ }
});
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

document.getElementById('skip').addEventListener('click', event => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('hashchange', show);
paint();
listen();
show();
