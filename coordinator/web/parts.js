// parts: what all views are made of: elements, numbers as people read them, requests, tables.
// Texts reach the page as text nodes only, so nothing that a worker or a file says can be more than text.

const SVG = 'http://www.w3.org/2000/svg';

// el('a.link', {href: '#/'}, 'text', node, …): null and false are left out; on… are listeners.
export function el(spec, attributes, ...children) {
  const [tag, ...classes] = spec.split('.');
  const node = document.createElement(tag || 'div');
  if (classes.length) node.className = classes.join(' ');
  set(node, attributes);
  add(node, children);
  return node;
}

export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  set(node, attributes);
  add(node, children);
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
}

function add(node, children) {
  for (const child of children.flat(3))
    if (child !== null && child !== undefined && child !== false) node.append(child);
}

// ---- numbers

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
export const none = '–';
const there = value => value !== null && value !== undefined && Number.isFinite(value);

export const count = value => there(value) ? whole.format(value) : none;
export const fixed = (value, digits) => there(value) ? value.toFixed(digits) : none;
export const percent = (value, digits = 2) => there(value) ? (100 * value).toFixed(digits) : none;
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

export function duration(seconds) {
  if (!there(seconds)) return none;
  const s = Math.max(0, Math.round(seconds));
  const two = number => String(number).padStart(2, '0');
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

export function moment(ms) {
  if (!ms) return none;
  const at = new Date(ms);
  const two = number => String(number).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
         `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// ---- requests

export async function ask(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters || {}))
    if (value !== undefined && value !== null && value !== '') query.set(name, value);
  const text = query.toString();
  const answer = await fetch(`/api/${path}${text ? `?${text}` : ''}`, {cache: 'no-store'}).catch(() => {
    throw new Error('No answer: what showed this page has ended, or is out of reach. “actsearch web DB” shows the search at any time.');
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error || `status ${answer.status}`);
  return json;
}

// ---- parts of a page

export const functionLink = (activation, spec = 'a.formula') =>
  el(spec, {href: `#/function/${encodeURIComponent(activation)}`}, breakable(activation));

// A formula may break after an operator or a comma, and elsewhere only where it must.
export function breakable(text) {
  const parts = [];
  for (const piece of String(text).split(/(?<=[,*/+])/)) parts.push(piece, el('wbr'));
  parts.pop();
  return parts;
}

export function sketch(picture) {
  if (!picture || !/^[ML0-9. ]*$/.test(picture.path)) return el('span', {}, none);
  return svg('svg', {class: 'sketch', viewBox: '0 0 96 48', width: 96, height: 48, 'aria-hidden': 'true', focusable: 'false'},
             svg('path', {class: 'axis', d: `M0 ${picture.zero}H96M48 0V48`}), svg('path', {class: 'f', d: picture.path}));
}

export function card(title, ...children) {
  const id = `card-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;
  return el('section.card', {'aria-labelledby': id}, el('h2', {id}, title), ...children);
}

// columns: [{title, cell(row), number, main}]. Cells are nodes or texts. On narrow screens each row becomes a small list of its
// own; the roles keep it a table for screen readers.
export function table(caption, columns, rows, empty) {
  if (!rows.length) return el('p.empty', {}, empty);
  const style = column => [column.number && 'number', column.main && 'main'].filter(Boolean).join(' ') || null;
  const cells = row => columns.map(column => el('td', {class: style(column), role: 'cell', 'data-label': column.title}, el('div', {}, column.cell(row))));
  return el('.scroll', {tabindex: 0, role: 'region', 'aria-label': caption},
    el('table.stack', {role: 'table'}, el('caption.hidden', {}, caption),
      el('thead', {role: 'rowgroup'}, el('tr', {role: 'row'}, columns.map(column => el('th', {scope: 'col', role: 'columnheader', class: style(column)}, column.title)))),
      el('tbody', {role: 'rowgroup'}, rows.map(row => el('tr', {role: 'row'}, cells(row))))));
}

// The buttons under a list of which one page is shown; go(offset) shows another.
export function pager(total, offset, limit, go) {
  const last = Math.max(0, Math.floor((total - 1) / limit) * limit);
  const button = (label, name, to, off) =>
    el('button', {type: 'button', 'aria-label': name, disabled: off, onclick: () => go(to)}, label);
  return el('nav.pager', {'aria-label': 'Pages of the list'},
    button('«', 'First page', 0, offset === 0), button('‹', 'Previous page', Math.max(0, offset - limit), offset === 0),
    el('span', {}, total ? `${count(offset + 1)}–${count(Math.min(offset + limit, total))} of ${count(total)}` : 'none'),
    button('›', 'Next page', offset + limit, offset + limit >= total), button('»', 'Last page', last, offset >= last));
}

// Puts new content in the place of old, and the keyboard's focus back where it was: on what has the same data-key or address.
export function renew(place, ...content) {
  const at = place.contains(document.activeElement) ? document.activeElement : null;
  const key = at && (at.dataset.key || at.getAttribute('href') || at.getAttribute('aria-label'));
  place.replaceChildren(...content.flat().filter(Boolean));
  if (!key) return;
  for (const node of place.querySelectorAll('[data-key], [href], [aria-label]'))
    if ((node.dataset.key || node.getAttribute('href') || node.getAttribute('aria-label')) === key) {
      node.focus({preventScroll: true});
      return;
    }
}
