// Sending files, by tus: several at once, in pieces of any length, gone on with
// after a pause, a lost connection or a reload of the page.

/* global tus, htmx */

const zone = document.getElementById('upload');
const panel = document.getElementById('transfers');
const list = document.getElementById('transfer-list');
const status = document.getElementById('transfers-status');

const atOnce = 3;
const inOneRequest = 4 << 20; // bytes; larger files get an address first, so that they can be resumed
const rowsKept = 50;

const { collection, path = '', link } = zone.dataset;
const endpoint = link ? `/s/${encodeURIComponent(link)}/uploads` : '/api/v1/uploads';
const here = link ? `link ${link}` : `${collection}/${path}`;
const places = tus.defaultOptions.urlStorage;

/** What is sent, was sent or waits: {file, name, state, sent, upload, row, ...} */
let items = [];
let refresh = 0;

// --- the queue

function add(files) {
  for (const { file, name } of files) {
    const again = items.find((i) => i.name === name && i.state === 'left');
    if (again && again.size === file.size && again.modified === file.lastModified) {
      Object.assign(again, { file, state: 'waiting' });
      continue;
    }
    items.push({ file, name, size: file.size, modified: file.lastModified, state: 'waiting', sent: 0 });
  }
  next();
}

function next() {
  let running = items.filter((i) => i.state === 'sending').length;
  for (const item of items) {
    if (running >= atOnce) break;
    if (item.state === 'waiting') {
      running += 1;
      send(item);
    }
  }
  say();
}

async function send(item) {
  item.state = 'sending';
  show(item);
  item.upload ??= new tus.Upload(item.file, options(item));
  try {
    const before = await item.upload.findPreviousUploads();
    if (before.length > 0 && !item.upload.url) item.upload.resumeFromPreviousUpload(before[0]);
  } catch { /* nothing is remembered here: it starts anew */ }
  if (item.state === 'sending') item.upload.start();
}

function options(item) {
  const full = path ? `${path}/${item.name}` : item.name;
  const metadata = { path: full, modified: new Date(item.modified).toISOString() };
  if (!link) metadata.collection = collection;
  return {
    endpoint,
    metadata,
    // What is remembered of an upload also says on which page it was begun.
    urlStorage: {
      findAllUploads: () => places.findAllUploads(),
      findUploadsByFingerprint: (print) => places.findUploadsByFingerprint(print),
      removeUpload: (key) => places.removeUpload(key),
      addUpload: (print, upload) => places.addUpload(print, { ...upload, here, name: item.name, modified: item.modified }),
    },
    retryDelays: [0, 1000, 3000, 5000, 10000, 20000, 30000],
    uploadDataDuringCreation: item.size <= inOneRequest,
    removeFingerprintOnSuccess: true,
    fingerprint: async () => ['tandem', here, item.name, item.size, item.modified].join(':'),
    onProgress(sent) {
      item.sent = sent;
      draw(item);
    },
    onAfterResponse(request, response) {
      const stored = response.getHeader('Tandem-Path');
      if (stored) item.stored = decodeURIComponent(stored);
    },
    onSuccess() {
      item.state = 'done';
      item.sent = item.size;
      finish(item);
    },
    onError(error) {
      item.state = 'failed';
      item.why = explain(error);
      finish(item);
    },
  };
}

function explain(error) {
  const response = error.originalResponse;
  if (!response) return 'The server cannot be reached.';
  try {
    const problem = JSON.parse(response.getBody());
    return problem.detail || problem.title;
  } catch {
    return `The server answered ${response.getStatus()}.`;
  }
}

function finish(item) {
  draw(item);
  const old = items.filter((i) => i.state === 'done' && i.row);
  for (const i of old.slice(0, Math.max(0, old.length - rowsKept))) {
    i.row.remove();
    i.row = null;
  }
  if (!link && item.state === 'done') {
    clearTimeout(refresh);
    const busy = items.some((i) => i.state === 'sending' || i.state === 'waiting');
    refresh = setTimeout(relist, busy ? 1500 : 100);
  }
  next();
}

function relist() {
  if (document.getElementById('dialog').open || document.querySelector('#listing details[open]')) {
    refresh = setTimeout(relist, 1500); // not under somebody's hands
    return;
  }
  const sort = new URLSearchParams(location.search).get('sort');
  htmx.ajax('GET', location.pathname + (sort ? `?sort=${encodeURIComponent(sort)}` : ''), { target: '#listing', select: '#listing', swap: 'outerHTML' });
}

// --- what is shown

function show(item) {
  panel.hidden = false;
  if (item.row) {
    draw(item);
    return;
  }
  const row = document.createElement('li');
  const name = document.createElement('bdi');
  name.textContent = item.name;
  const state = document.createElement('span');
  state.className = 'state';
  const bar = document.createElement('progress');
  bar.max = 1;
  bar.setAttribute('aria-label', `Progress of ${item.name}`);
  const knobs = document.createElement('span');
  knobs.className = 'knobs';
  row.append(name, state, knobs, bar);
  list.append(row);
  Object.assign(item, { row, parts: { state, bar, knobs }, drawn: '' });
  draw(item);
}

const words = {
  waiting: () => 'waiting',
  sending: (i) => `${bytes(i.sent)} of ${bytes(i.size)}`,
  paused: (i) => `paused at ${bytes(i.sent)} of ${bytes(i.size)}`,
  left: (i) => `${bytes(i.sent)} of ${bytes(i.size)} are there. Choose the same file again to go on.`,
  done: (i) => (i.stored && i.stored.split('/').pop() !== i.name.split('/').pop()
    ? `done, as ${i.stored.split('/').pop()}` : `done, ${bytes(i.size)}`),
  failed: (i) => i.why,
};

const knobsOf = {
  sending: [['Pause', pause], ['Cancel', cancel]],
  paused: [['Resume', resume], ['Cancel', cancel]],
  left: [['Choose file', () => document.getElementById('pick-files').click()], ['Cancel', cancel]],
  failed: [['Try again', resume], ['Cancel', cancel]],
  waiting: [['Cancel', cancel]],
  done: [],
};

function draw(item) {
  if (!item.row) return;
  const { state, bar, knobs } = item.parts;
  state.textContent = words[item.state](item);
  state.classList.toggle('failed', item.state === 'failed');
  bar.value = item.size > 0 ? item.sent / item.size : Number(item.state === 'done');
  bar.hidden = item.state === 'done';
  if (item.drawn === item.state) return; // a button keeps its focus while bytes pass
  const focused = knobs.contains(document.activeElement);
  item.drawn = item.state;
  item.row.dataset.state = item.state;
  knobs.replaceChildren(...knobsOf[item.state].map(([label, act]) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'plain';
    button.textContent = label;
    button.setAttribute('aria-label', `${label} ${item.name}`);
    button.addEventListener('click', () => act(item));
    return button;
  }));
  if (focused) knobs.querySelector('button')?.focus();
}

function say() {
  const all = items.filter((i) => i.state !== 'left');
  const count = (state) => all.filter((i) => i.state === state).length;
  const failed = count('failed');
  const text = all.length === 0 ? '' : `${count('done')} of ${all.length} done${failed ? `, ${failed} failed` : ''}`;
  if (status.textContent !== text) status.textContent = text;
  panel.hidden = items.every((i) => !i.row);
}

function bytes(n) {
  if (n < 1000) return `${n} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = n / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${units[0]}`;
}

// --- what people do

async function pause(item) {
  item.state = 'paused';
  draw(item);
  await item.upload.abort();
  next();
}

function resume(item) {
  item.state = 'waiting';
  next();
  draw(item);
}

async function cancel(item) {
  items = items.filter((i) => i !== item);
  item.row?.remove();
  item.row = null;
  item.state = 'cancelled';
  try {
    if (item.upload) await item.upload.abort(true);
    else if (item.left) await forget(item.left);
  } catch { /* it expires by itself */ }
  next();
}

async function forget(left) {
  await places.removeUpload(left.urlStorageKey);
  await tus.Upload.terminate(left.uploadUrl, {});
}

document.getElementById('transfers-clear').addEventListener('click', () => {
  items = items.filter((i) => {
    if (i.state === 'done') i.row?.remove();
    return i.state !== 'done';
  });
  say();
});

for (const kind of ['files', 'folder']) {
  const input = document.getElementById(`pick-${kind}`);
  for (const button of document.querySelectorAll(`[data-pick=${kind}]`)) {
    button.addEventListener('click', () => input.click());
  }
  input.addEventListener('change', () => {
    add([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
    input.value = '';
  });
}

// --- dropping files and folders anywhere on the page

let over = 0;
const carriesFiles = (event) => event.dataTransfer?.types.includes('Files');
const mark = (on) => {
  over = Math.max(0, on ? over + 1 : over - 1);
  document.body.classList.toggle('dropping', over > 0);
};

addEventListener('dragenter', (event) => { if (carriesFiles(event)) mark(true); });
addEventListener('dragleave', (event) => { if (carriesFiles(event)) mark(false); });
addEventListener('dragover', (event) => { if (carriesFiles(event)) event.preventDefault(); });
addEventListener('drop', async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  over = 1;
  mark(false);
  const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry?.());
  const plain = [...event.dataTransfer.files].map((file) => ({ file, name: file.name }));
  if (!entries.some((e) => e?.isDirectory)) {
    add(plain);
    return;
  }
  for (const entry of entries) if (entry) await walk(entry, '');
});

async function walk(entry, above) {
  const name = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise((ok, bad) => { entry.file(ok, bad); });
    add([{ file, name }]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((ok, bad) => { reader.readEntries(ok, bad); });
    if (part.length === 0) return;
    for (const e of part) await walk(e, `${name}/`);
  }
}

// --- leaving and coming back

addEventListener('beforeunload', (event) => {
  if (items.some((i) => i.state === 'sending' || i.state === 'waiting')) event.preventDefault();
});

async function leftovers() {
  let all = [];
  try {
    all = await places.findAllUploads();
  } catch {
    return;
  }
  for (const left of all) {
    if (left.here !== here || !left.uploadUrl) continue;
    const answer = await fetch(left.uploadUrl, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } }).catch(() => null);
    if (answer && !answer.ok) {
      await places.removeUpload(left.urlStorageKey); // it is gone there
      continue;
    }
    if (items.some((i) => i.name === left.name && i.size === left.size)) continue; // chosen again meanwhile
    const item = {
      name: left.name, size: left.size, modified: left.modified, state: 'left', left,
      sent: Number(answer?.headers.get('Upload-Offset') ?? 0),
    };
    items.push(item);
    show(item);
  }
  say();
}
leftovers();
