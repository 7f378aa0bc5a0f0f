// charts: line charts by dygraphs, in the colours of the page. The library sets styles through the DOM only, as the page's
// Content-Security-Policy asks for; legends and readouts are our own.
import {el, fixed, count} from './parts.js';

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const palette = ['best', 'dots', 'average', 'violet', 'gold', 'rose', 'muted'];
const alive = new Set();

// series: [{name, colour, dots, step, dashed, width}] for columns 1, 2, … of data; a value is null where a series has none.
// options: {label (what it shows, for those who do not see it), x, y (titles), xText, yText (of a value), from (the least height that
// is shown), range (all of them), axes (lines through 0)}
export function chart(series, data, options) {
  const plot = el('.plot', {role: 'img', 'aria-label': options.label});
  const readout = el('p.readout', {'aria-hidden': 'true'}, '\u00a0');
  const shown = series.map((one, i) => ({...one, colour: one.colour || palette[i % palette.length]}));
  const node = el('figure.chart', {}, el('figcaption.axis-title', {}, options.y), plot, el('p.axis-title.x', {}, options.x),
    el('ul.legend', {}, shown.map(one => el('li', {},
      el(`span.swatch.${one.dots ? 'dot' : one.dashed ? 'dashed' : 'line'}.${one.colour}`, {'aria-hidden': 'true'}), one.name))), readout);
  const self = {node, plot, readout, series: shown, data, options, graph: null};
  self.update = (newData, label) => {
    self.data = newData;
    plot.setAttribute('aria-label', label);
    if (self.graph) self.graph.updateOptions({file: newData, valueRange: range(self)});
  };
  alive.add(self);
  requestAnimationFrame(() => draw(self));
  return self;
}

// Charts that have left the page are let go; those that stay are drawn again, when the colours have changed.
export function redraw() {
  for (const one of alive)
    if (one.node.isConnected) draw(one);
    else release(one);
}

export function release(one) {
  if (one.graph) one.graph.destroy();
  one.graph = null;
  alive.delete(one);
}

// From the smallest to the largest that is drawn, and a little more.
function range(self) {
  if (self.options.range) return self.options.range;
  let low = Infinity, high = -Infinity;
  for (const row of self.data)
    for (let i = 1; i < row.length; i++)
      if (row[i] !== null && Number.isFinite(row[i])) {
        low = Math.min(low, row[i]);
        high = Math.max(high, row[i]);
      }
  if (low > high) return [0, 1];
  const from = self.options.from === undefined ? low : Math.min(self.options.from, low);
  const room = high - from || Math.abs(high) || 1;
  return [from - 0.025 * room, high + 0.06 * room]; // what lies at an edge is not cut in half
}

function say(self, x, points) {
  const text = self.options.yText || (y => fixed(y, 2));
  const parts = points.filter(point => Number.isFinite(point.yval)).map(point => `${point.name} ${text(point.yval)}`);
  self.readout.textContent = parts.length ? `${self.options.xText ? self.options.xText(x) : count(x)}: ${parts.join(', ')}` : '\u00a0';
}

// The two axes through 0.
function cross(canvas, area, graph) {
  canvas.fillStyle = colour('line');
  canvas.fillRect(Math.round(graph.toDomXCoord(0)), area.y, 1, area.h);
  canvas.fillRect(area.x, Math.round(graph.toDomYCoord(0)), area.w, 1);
}

// Without the library's own legend, which sets styles in a way that the policy of the page forbids.
function ready() {
  if (!window.Dygraph) return false;
  window.Dygraph.PLUGINS = window.Dygraph.PLUGINS.filter(plugin => plugin !== window.Dygraph.Plugins.Legend);
  return true;
}

function draw(self) {
  if (!self.node.isConnected || !self.data.length || !ready()) return;
  if (self.graph) self.graph.destroy();
  const perSeries = {};
  self.series.forEach(one => {
    perSeries[one.name] = {
      color: colour(one.colour), strokeWidth: one.dots ? 0 : one.width || 2, drawPoints: !!one.dots, pointSize: one.size || 2.2,
      highlightCircleSize: 4, stepPlot: !!one.step, connectSeparatedPoints: !one.dots && !one.gaps,
      strokePattern: one.dashed ? [6, 5] : null,
    };
  });
  const fine = window.matchMedia('(pointer: fine)').matches;
  self.graph = new window.Dygraph(self.plot, self.data, {
    labels: ['x', ...self.series.map(one => one.name)], series: perSeries, legend: 'never',
    valueRange: range(self), gridLineColor: colour('grid'), axisLineColor: colour('grid'), axisLabelFontSize: 12,
    axisLabelWidth: 52, labelsKMB: false, rightGap: 12, xRangePad: 6, animatedZooms: false,
    axes: {
      x: {axisLabelFormatter: value => self.options.xText ? self.options.xText(value) : Number.isInteger(value) ? count(value) : '', pixelsPerLabel: 48, drawGrid: false},
      y: {axisLabelFormatter: value => String(+value.toPrecision(6)), axisLabelWidth: 40, pixelsPerLabel: 36},
    },
    underlayCallback: (canvas, area, graph) => { if (self.options.axes) cross(canvas, area, graph); },
    highlightCallback: (event, x, points) => say(self, x, points),
    unhighlightCallback: () => { self.readout.textContent = '\u00a0'; },
    ...(fine ? {} : {interactionModel: {}}), // a finger scrolls the page
  });
}

// Columns with x of their own as rows of one table, in order of x: [[[x, y], …], …] → [[x, y or null, …], …].
export function merge(columns) {
  const rows = new Map();
  columns.forEach((points, at) => {
    for (const [x, y] of points) {
      if (!rows.has(x)) rows.set(x, [x, ...Array(columns.length).fill(null)]);
      rows.get(x)[at + 1] = y;
    }
  });
  return [...rows.values()].sort((a, b) => a[0] - b[0]);
}
