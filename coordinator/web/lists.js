// lists: the workers, what went wrong and what happened, and what the search has learnt.
import {el, count, percent, fixed, duration, moment, none, plural, ask, functionLink, card, table, pager, renew} from './parts.js';
import {chart, merge, release} from './charts.js';

const ROWS = 50;

function heading(title, text) {
  return el('section.head', {}, el('.title', {}, el('h1', {}, title)), el('p.about', {}, text));
}

// ---- workers

function training(worker, leases) {
  const mine = leases.filter(lease => lease.worker === worker.id);
  if (!mine.length) return worker.connected ? 'idle' : none;
  return mine.slice(0, 8).map(lease => el('.lease', {}, functionLink(lease.activation),
    el('span.since', {}, ` ${duration((Date.now() - lease.leased_ms) / 1000)}`)));
}

function workerState(worker) {
  if (worker.shut_out_ms)
    return el('span.state.failed', {title: `its host computes other bits than others; it gets no work since ${moment(worker.shut_out_ms)}`}, 'shut out');
  return worker.connected ? el('span.state.done', {}, 'connected') : el('span.state', {}, 'gone');
}

export function workers() {
  const place = el('.place', {}), pages = el('.place', {});
  let offset = 0, leases = [];
  const columns = [
    {title: 'Host', main: true, cell: worker => [el('strong', {}, worker.host), el('span.sub', {}, ` ${worker.name}`)]},
    {title: 'State', cell: worker => workerState(worker)},
    {title: 'Slots', number: true, cell: worker => count(worker.slots)},
    {title: 'Results', number: true, cell: worker => count(worker.results)},
    {title: 'Lost', number: true, cell: worker => count(worker.lost)},
    {title: 'In training', cell: worker => training(worker, leases)},
    {title: 'Processor', cell: worker => [worker.cpu, el('span.sub', {}, ` ${worker.kernels}`)]},
    {title: 'Last heard', cell: worker => moment(worker.last_ms)},
  ];
  const view = {
    node: el('.view', {}, heading('Workers', 'Who trains, and what. More may join at any time.'), el('section.card', {'aria-label': 'Workers'}, place, pages)),
    title: 'Workers',
    async refresh() {
      const answer = await ask('workers', {offset, limit: ROWS});
      leases = answer.leases;
      renew(place, table('Workers', columns, answer.rows, 'No worker has joined yet.'));
      renew(pages, answer.total > ROWS && pager(answer.total, offset, ROWS, to => { offset = to; view.refresh(); }));
    },
  };
  return view;
}

// ---- failures and events

const failureColumns = [
  {title: 'When (UTC)', cell: failure => failure.at.replace('T', ' ').replace('Z', '')},
  {title: 'Function', main: true, cell: failure => functionLink(failure.activation)},
  {title: 'Worker', cell: failure => failure.worker},
  {title: 'Reason', cell: failure => failure.reason},
  {title: 'Training', number: true, cell: failure => count(failure.trial)},
];
const eventColumns = [
  {title: 'When', cell: event => moment(event.at_ms)},
  {title: 'Kind', cell: event => event.kind},
  {title: 'What', main: true, cell: event => event.text},
];

export function failures() {
  const lists = [
    {path: 'failures', title: 'Lost attempts', columns: failureColumns, empty: 'No attempt was lost.'},
    {path: 'events', title: 'Events', columns: eventColumns, empty: 'Nothing has happened yet.'},
  ].map(list => ({...list, place: el('.place', {}), pages: el('.place', {}), offset: 0}));
  const view = {
    node: el('.view', {}, heading('Failures', 'Attempts that lapsed, failed, or gave other bits, and what else happened. A lost training is queued again.'),
      lists.map(list => card(list.title, list.place, list.pages))),
    title: 'Failures',
    async refresh() {
      for (const list of lists) {
        const answer = await ask(list.path, {offset: list.offset, limit: ROWS});
        renew(list.place, table(list.title, list.columns, answer.rows, list.empty));
        renew(list.pages, answer.total > ROWS && pager(answer.total, list.offset, ROWS, to => { list.offset = to; view.refresh(); }));
      }
    },
  };
  return view;
}

// ---- what the search has learnt

// Of one choice among those of all units.
const tokenName = (token, tokens) => (tokens[tokens.length - 1].unit > 1 ? `unit ${token.unit}, ` : '') + token.token;

const meter = value => el('span.meter', {}, el('meter', {min: 0, max: 1, value, 'aria-label': `probability ${percent(value, 1)} %`}), ` ${percent(value, 1)} %`);

function charts(history) {
  const last = history[history.length - 1];
  const reward = chart([{name: 'average reward', colour: 'average'}], history.map(one => [one.policy_version, one.baseline === null ? null : 100 * one.baseline]),
    {label: `Average reward by update of the policy, now ${percent(last.baseline)} %`, x: 'update of the policy', y: 'average reward (% accuracy)', from: 0});
  const entropy = chart([{name: 'entropy', colour: 'violet'}], history.map(one => [one.policy_version, one.entropy]),
    {label: `Entropy of the choices by update of the policy, now ${fixed(last.entropy, 3)} nats`, x: 'update of the policy', y: 'entropy (nats per choice)', from: 0,
      yText: y => fixed(y, 3)});
  return [reward, entropy];
}

function probabilities(history, tokens) {
  const open = [...tokens.keys()].filter(at => history.some(one => one.probabilities[at] < 1)), free = open.slice(0, 7);
  const series = free.map(at => ({name: tokenName(tokens[at], tokens), width: 1.8}));
  return chart(series, merge(free.map(at => history.map(one => [one.policy_version, one.probabilities[at] === undefined ? null : 100 * one.probabilities[at]]))),
    {label: 'Probability of the likeliest choice, for each choice, by update of the policy', x: 'update of the policy', y: `probability of the likeliest choice (%)${open.length > free.length ? `; the first ${free.length} of ${open.length} choices` : ''}`,
      range: [0, 102]});
}

export function controller(address, page) {
  const place = el('.place', {}), about = el('p.about', {});
  let drawn = [], seen = '';
  const columns = tokens => [
    {title: 'Choice', cell: token => tokenName(token, tokens)},
    {title: 'Likeliest', main: true, cell: token => el('code.formula', {}, token.choice)},
    {title: 'Probability', cell: token => meter(token.probability)},
    {title: 'Entropy', number: true, cell: token => fixed(token.entropy, 3)},
  ];
  return {
    node: el('.view', {}, el('section.head', {}, el('.title', {}, el('h1', {}, 'Controller')), about), place),
    title: 'Controller',
    async refresh() {
      const {now, history} = await ask('controller');
      const progress = page.progress(), tokens = (now && now.tokens) || [];
      const signature = JSON.stringify(now && [now.policy_version, now.tokens]);
      if (signature === seen) return;
      seen = signature;
      drawn.forEach(release);
      drawn = [];
      if (!tokens.length) {
        about.textContent = 'What the search has learnt shows here after its first update.';
        place.replaceChildren(el('section.card', {'aria-label': 'Policy'}, el('p.empty', {},
          progress && ['exhaustive', 'random', 'none'].includes(progress.algorithm) ? `With algorithm = ${progress.algorithm} nothing is learnt.` : 'No update yet.')));
        return;
      }
      about.textContent = `${plural(now.policy_version, 'update')} so far. For each choice that makes a function: the likeliest, over all sequences of the latest batch.`;
      const cards = [card('Choices', table('Likeliest choices', columns(tokens), tokens, 'None yet.'))];
      if (history.length > 1) {
        const [reward, entropy] = charts(history), likeliest = probabilities(history, tokens);
        drawn = [reward, entropy, likeliest];
        cards.unshift(el('.two', {}, card('Reward', reward.node), card('Entropy', entropy.node)));
        cards.push(card('How sure it is', likeliest.node));
      }
      renew(place, cards);
    },
  };
}
