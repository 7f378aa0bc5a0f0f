// overview: how far the search is, how it went, and the ranked list.
import {el, count, percent, fixed, duration, plural, none, ask, functionLink, sketch, card, pager, renew, moment} from './parts.js';
import {chart, merge, release} from './charts.js';

const ROWS = 25;

// ---- the head: name, state, bar, tiles

const phases = {search: 'searching', paused: 'paused', finals: 'finals', finished: 'finished'};
const algorithms = {exhaustive: 'exhaustive search', random: 'random search', evolution: 'evolution', rl: 'RNN controller, PPO', none: 'no search: the references alone'};

function head() {
  const title = el('h1', {}, '…'), phase = el('span.phase', {}), about = el('p.about', {});
  const bar = el('progress', {max: 1, 'aria-label': 'How far the search is'}), left = el('p.left', {});
  const tiles = el('dl.tiles', {});
  const tile = (name, value, unit, ...below) => el('.tile', {}, el('dt', {}, name), el('dd.value', {}, value, unit && el('span.unit', {}, unit)),
                                                 el('dd.below', {}, ...below));
  const update = (p, passed) => {
    const running = p.phase !== 'finished';
    title.textContent = p.name;
    phase.textContent = phases[p.phase] || p.phase;
    phase.className = `phase ${p.phase}`;
    about.textContent = `${algorithms[p.algorithm] || p.algorithm} · ${p.data} · ${p.model}, ${plural(p.steps, 'step')}, ` +
                        `${plural(p.seeds, 'seed')}${p.started_ms ? ` · begun ${moment(p.started_ms)}` : ''}`;
    bar.hidden = p.fraction === null;
    if (p.fraction !== null) bar.value = p.fraction;
    const remaining = p.seconds_left === null ? null : Math.max(0, p.seconds_left - passed);
    left.textContent = [p.fraction !== null && `${100 * p.fraction < 10 ? fixed(Math.floor(1000 * p.fraction) / 10, 1) : Math.floor(100 * p.fraction)} %`,
      remaining !== null && `${duration(remaining)} left`,
      running ? `running for ${duration(p.elapsed_seconds + passed)}` : `${p.finished_because}, ${duration(p.elapsed_seconds)} after its start`,
    ].filter(Boolean).join(' · ');
    const reference = p.best_reference, gain = reference && p.best_accuracy !== null ? 100 * (p.best_accuracy - reference.accuracy) : null;
    renew(tiles,
      tile('Best accuracy', percent(p.best_accuracy), ' %', p.best_activation ? functionLink(p.best_activation) : none,
           gain !== null && gain > 0 && el('span.gain', {}, ` +${fixed(gain, 2)} over ${reference.activation}`)),
      tile('Functions', count(p.candidates), p.target_candidates ? ` of ${count(p.target_candidates)}` : null,
           `${count(p.duplicates)} duplicates, ${count(p.rejected)} rejected`),
      tile('Trainings', count(p.done), ' done', [p.diverged && `${count(p.diverged)} diverged`, p.failed && `${count(p.failed)} failed`,
        running && `${count(p.leased)} under way`, running && `${count(p.queued)} waiting`].filter(Boolean).join(', ') || '\u00a0'),
      running ? tile('Speed', p.trials_per_hour === null ? none : count(p.trials_per_hour), ' trainings/h', 'over the last ten minutes')
              : tile('Proposals', count(p.proposals), null, p.policy_version ? `${plural(p.policy_version, 'update')} of the policy` : '\u00a0'),
      tile('Workers', count(p.workers), null, el('a', {href: '#/failures'}, plural(p.lost_attempts, 'lost attempt'))));
  };
  return {node: el('section.head', {'aria-label': 'Progress'}, el('.title', {}, title, phase), about, el('.going', {}, bar, left), tiles), update};
}

// ---- how it went

const points = list => list.map(([x, y]) => [x, 100 * y]);

function course() {
  const place = el('.place', {}, el('p.empty', {}, 'No function has a result yet.'));
  let drawn = null, names = '';
  const update = answer => {
    const {slices, best, proposals} = answer.functions;
    if (!best.length) return;
    const references = answer.references.map(one => [[1, 100 * one.accuracy], [proposals, 100 * one.accuracy]]);
    const last = best[best.length - 1];
    const columns = [points(slices), [...points(best), [proposals, 100 * last[1]]], points(answer.average), ...references];
    const data = merge(columns);
    const label = `Validation accuracy by proposal number. The best so far rises from ${percent(best[0][1])} % to ${percent(last[1])} % ` +
                  `at proposal ${count(last[0])} of ${count(proposals)}.`;
    const series = [{name: slices.length < proposals && proposals > 400 ? 'best of a slice' : 'a function', dots: true, colour: 'dots'},
      {name: 'best so far', step: true, colour: 'best', width: 2.5}, {name: 'average reward', colour: 'average'},
      ...answer.references.map((one, i) => ({name: one.activation, dashed: true, width: 1.5, colour: ['muted', 'violet', 'gold'][i]}))];
    const now = series.map(one => one.name).join();
    if (drawn && now === names) {
      drawn.update(data, label);
      return;
    }
    if (drawn) release(drawn);
    names = now;
    drawn = chart(series, data, {label, x: 'proposal number', y: 'validation accuracy (%)', from: 0});
    place.replaceChildren(drawn.node);
  };
  return {node: card('How the search went', place), update};
}

// ---- the ranked list

const columns = [
  {key: 'rank', title: 'Rank', first: 'asc', number: true},
  {title: 'f(x)', name: 'Picture'},
  {key: 'activation', title: 'Function', first: 'asc', main: true},
  {key: 'accuracy', title: 'Accuracy %', first: 'desc', number: true},
  {title: '± sd', number: true, hide: true, sd: true},
  {key: 'seeds', title: 'Seeds', first: 'desc', number: true, hide: true},
  {key: 'steps', title: 'Steps', first: 'desc', number: true, hide: true},
  {key: 'parameters', title: 'Weights', first: 'asc', number: true, hide: true},
  {key: 'seconds', title: 'Time s', first: 'asc', number: true, hide: true},
  {key: 'cost', title: 'Cost ns', first: 'asc', number: true, hide: true},
];
const style = column => [column.number && 'number', column.hide && 'wide', column.main && 'main', column.sd && 'sd'].filter(Boolean).join(' ') || null;

const deviation = row => [row.accuracy_sd === null ? none : `± ${percent(row.accuracy_sd)}`,
  row.distinct_from_next === 0 && el('abbr.near', {title: 'does not differ from the next beyond noise'}, '≈')];

function listRow(row) {
  const cells = [count(row.rank), sketch(row.sketch),
    [functionLink(row.activation), row.reference === 1 && el('span.tag', {}, 'reference')], percent(row.accuracy_mean), deviation(row), count(row.seeds),
    count(row.steps), count(row.parameters), fixed(row.seconds, 1), fixed(row.cost_ns, 2)];
  const open = event => {
    if (!event.target.closest('a') && !String(window.getSelection()))
      window.location.hash = `#/function/${encodeURIComponent(row.activation)}`;
  };
  return el('tr', {onclick: open}, columns.map((column, i) => el('td', {class: style(column)}, cells[i])));
}

function list(page) {
  const filter = el('input', {type: 'search', placeholder: 'contains, e.g. sigmoid', 'aria-label': 'Show only functions that contain',
    autocomplete: 'off', spellcheck: 'false', maxlength: 200});
  const headers = el('tr', {}), body = el('tbody', {}), pages = el('.place', {}), said = el('p.hidden', {role: 'status'});
  const query = () => page.address().query;
  const go = changes => page.goTo({...query(), offset: undefined, ...changes});
  let timer = null;
  filter.addEventListener('input', () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => go({filter: filter.value}), 250);
  });

  const header = column => {
    const sort = query().sort || 'rank', order = query().order || 'asc', on = column.key === sort;
    const next = on ? (order === 'asc' ? 'desc' : 'asc') : column.first;
    const what = on ? {'aria-sort': order === 'asc' ? 'ascending' : 'descending'} : {};
    if (!column.key) return el('th', {scope: 'col', class: style(column), 'aria-label': column.name}, column.title);
    return el('th', {scope: 'col', class: style(column), ...what},
      el('button.sort', {type: 'button', 'data-key': `sort-${column.key}`,
        onclick: () => go({sort: column.key === 'rank' && next === 'asc' ? undefined : column.key, order: next === 'asc' ? undefined : next})},
        column.title, el('span.arrow', {'aria-hidden': 'true'}, on ? (order === 'asc' ? '↑' : '↓') : '')));
  };

  const update = answer => {
    if (document.activeElement !== filter) filter.value = query().filter || '';
    renew(headers, columns.map(header));
    renew(body, answer.rows.map(listRow));
    if (!answer.rows.length)
      body.replaceChildren(el('tr', {}, el('td.empty', {colspan: columns.length}, query().filter ? 'No function contains this.' : 'No function has a result yet.')));
    renew(pages, pager(answer.total, answer.offset, ROWS, offset => go({offset: offset || undefined})));
    const text = query().filter ? `${count(answer.total)} functions contain ${query().filter}` : '';
    if (said.textContent !== text) said.textContent = text;
  };
  const ranked = el('section.card', {'aria-labelledby': 'ranked'},
    el('.card-head', {}, el('h2', {id: 'ranked'}, 'Ranked list'), filter),
    el('.scroll', {}, el('table.ranking', {}, el('caption.hidden', {}, 'Functions by validation accuracy; a header sorts'),
      el('thead', {}, headers), body)), pages, said);
  const request = () => ({sort: query().sort, order: query().order, filter: query().filter, offset: query().offset, limit: ROWS});
  return {node: ranked, update, request};
}

export function overview(address, page) {
  const top = head(), went = course(), ranked = list(page);
  return {
    node: el('.view', {}, top.node, went.node, ranked.node),
    progress: top.update,
    async refresh() {
      ranked.update(await ask('ranking', ranked.request()));
      went.update(await ask('course'));
    },
  };
}
