// function: all there is to know of one function.
import {el, count, percent, fixed, duration, moment, none, plural, ask, breakable, card, table, renew} from './parts.js';
import {chart, merge} from './charts.js';

const LIMIT = 5; // heights beyond are cut, as in the small pictures

function picture(samples, activation) {
  const cut = y => y === null || Math.abs(y) > LIMIT ? null : y;
  const data = samples.x.map((x, i) => [x, cut(samples.f[i]), cut(samples.df[i])]);
  const low = data.reduce((least, row) => Math.min(least, row[1] ?? 0, row[2] ?? 0), -1);
  const high = data.reduce((most, row) => Math.max(most, row[1] ?? 0, row[2] ?? 0), 1);
  return chart([{name: 'f(x)', colour: 'best', width: 2.5, gaps: true}, {name: 'f′(x)', colour: 'dots', width: 1.8, gaps: true}], data,
    {label: `The function ${activation} and its derivative over −5 to 5`, x: 'x', y: 'f, f′', xText: x => String(+x.toFixed(2)),
      yText: y => fixed(y, 3), range: [low - 0.15, high + 0.15], axes: true});
}

function curves(list) {
  if (!list.length) return el('p.empty', {}, 'No training of it has reported yet.');
  const series = list.map(one => ({name: `seed ${one.replica + 1}`, width: 1.6}));
  if (new Set(list.map(one => one.steps)).size > 1)
    list.forEach((one, i) => { series[i].name += `, ${count(one.steps)} steps`; });
  const data = merge(list.map(one => one.points));
  const ends = list.map(one => one.points[one.points.length - 1]).filter(Boolean).map(point => fixed(point[1], 3));
  return chart(series, data, {label: `Training loss by step of ${plural(list.length, 'training')}; at the end ${ends.join(', ')}`,
    x: 'training step', y: 'training loss', from: 0, yText: y => fixed(y, 3)}).node;
}

const row = (name, value, title) => [el('dt', {}, name), el('dd', {title}, value)];

function facts(answer) {
  const f = answer.facts;
  return el('dl.facts', {},
    row('derivative', el('code.formula', {}, breakable(answer.derivative || none))),
    row('accuracy', f.accuracy_mean === null ? none : `${percent(f.accuracy_mean)} %${f.accuracy_sd === null ? '' : ` ± ${percent(f.accuracy_sd)}`}, ` +
      `mean of ${plural(f.seeds, 'seed')} at ${plural(f.steps, 'step')}`),
    row('validation loss', fixed(f.validation_loss_mean, 4)),
    row('weights', `${count(f.parameters)}${f.betas ? `, and ${count(f.betas)} trainable b` : ''}`),
    row('cost', f.cost_ns === null ? none : `${fixed(f.cost_ns, 2)} ns per element, f and f′ together`),
    row('training time', f.seconds === null ? none : `${fixed(f.seconds, 1)} s on average`),
    row('proposed', f.reference ? `a reference; proposed ${plural(f.proposals, 'time')} as well`
                                : `first as number ${count(f.first_proposal + 1)}, ${plural(f.proposals, 'time')} in all`),
    row('fingerprint', el('code', {}, `${f.fingerprint.slice(0, 16)}…`), f.fingerprint));
}

const trialColumns = [
  {title: 'Seed', cell: trial => count(trial.replica + 1)},
  {title: 'State', cell: trial => el(`span.state.${trial.state}`, {}, trial.state)},
  {title: 'Accuracy %', number: true, cell: trial => percent(trial.accuracy)},
  {title: 'Val. loss', number: true, cell: trial => fixed(trial.validation_loss, 4)},
  {title: 'Train loss', number: true, cell: trial => fixed(trial.train_loss, 4)},
  {title: 'Steps', number: true, cell: trial => trial.step && trial.step !== trial.steps ? `${count(trial.step)} of ${count(trial.steps)}` : count(trial.steps)},
  {title: 'Time s', number: true, cell: trial => fixed(trial.seconds, 1)},
  {title: 'Images/s', number: true, cell: trial => count(trial.images_per_second)},
  {title: 'Host', cell: trial => trial.host || none},
];

// How often the coordinator was started, and a count: 3-17.
const attemptName = number => `${Math.floor(number / 2 ** 32)}-${number % 2 ** 32}`;

const attemptColumns = [
  {title: 'Attempt', cell: attempt => attemptName(attempt.attempt)},
  {title: 'State', cell: attempt => el(`span.state.${attempt.state}`, {}, attempt.state)},
  {title: 'Worker', cell: attempt => `${attempt.worker} on ${attempt.host}`},
  {title: 'Leased', cell: attempt => moment(attempt.leased_ms)},
  {title: 'Took', number: true, cell: attempt => attempt.ended_ms ? duration((attempt.ended_ms - attempt.leased_ms) / 1000) : none},
  {title: 'Reason', cell: attempt => attempt.reason || '\u00a0'},
];

function copyButton(what, text) {
  const button = el('button', {type: 'button', 'aria-label': `Copy ${what}`, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
    } catch (error) {
      button.textContent = 'Select and copy by hand';
    }
    window.setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  }}, 'Copy');
  return button;
}

const languages = {pytorch: 'PyTorch', jax: 'JAX', tensorflow: 'TensorFlow', c: 'C', latex: 'LaTeX'};

// A list of tabs: arrow keys go from one to the next.
function code(snippets) {
  const names = Object.keys(snippets);
  if (!names.length) return el('p.empty', {}, 'There is no code for it.');
  const text = el('pre', {tabindex: 0, id: 'code', role: 'tabpanel'});
  const tabs = names.map((name, i) => el('button', {type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': 'code',
    onclick: () => choose(i), onkeydown: event => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (step) choose((i + step + names.length) % names.length, true);
    }}, languages[name] || name));
  let chosen = 0;
  const choose = (i, focus) => {
    chosen = i;
    tabs.forEach((tab, at) => {
      tab.setAttribute('aria-selected', at === i);
      tab.tabIndex = at === i ? 0 : -1;
    });
    text.textContent = snippets[names[i]];
    text.setAttribute('aria-labelledby', `tab-${names[i]}`);
    if (focus) tabs[i].focus();
  };
  choose(0);
  return el('.code', {}, el('.code-head', {}, el('.tabs', {role: 'tablist', 'aria-label': 'Language'}, tabs), copyButton('the code', () => snippets[names[chosen]])), text);
}

export function functionView(address) {
  const activation = address.rest;
  const rank = el('p.about', {}), tags = el('span', {}), body = el('.place', {}), trials = el('.place', {}), attempts = el('.place', {});
  const node = el('.view', {}, el('section.head', {'aria-label': 'Function'}, el('p.back', {}, el('a', {href: '#/'}, '← Ranked list')),
    el('.title', {}, el('h1.formula', {}, breakable(activation)), tags), rank), body);
  let shown = null;
  const first = answer => {
    body.replaceChildren(
      el('.two', {}, card('f and its derivative', answer.samples ? picture(answer.samples, activation).node : el('p.empty', {}, 'It cannot be read.')),
        card('Learning curves', curves(answer.curves))),
      card('What it is', facts(answer)), card('Trainings', trials),
      card('Code', code(answer.code || {})),
      answer.train && card('Train it once more, with the same bits', el('.code', {}, el('.code-head', {}, el('span', {}, 'shell'),
        copyButton('the command', () => answer.train)), el('pre', {tabindex: 0}, answer.train))),
      card('Attempts', attempts));
  };
  return {
    node, title: activation,
    async refresh() {
      const answer = await ask('function', {activation});
      const signature = JSON.stringify([answer.facts, answer.trials.map(trial => trial.state)]);
      if (signature === shown) return;
      first(answer);
      shown = signature;
      rank.textContent = answer.rank ? `rank ${count(answer.rank)} of ${count(answer.facts.ranked)} · ` +
        `${percent(answer.facts.accuracy_mean)} % validation accuracy` : 'no training of it has an outcome yet';
      renew(tags, answer.known && el('span.tag', {}, answer.known), answer.facts.reference === 1 && el('span.tag', {}, 'reference'));
      renew(trials, table('Trainings of this function', trialColumns, answer.trials, 'None yet.'));
      renew(attempts, table('Attempts, the newest first', attemptColumns, answer.attempts, 'None yet.'));
    },
  };
}
