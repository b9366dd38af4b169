// What pages gain with JavaScript: dialogs, menus that close, copying, times of
// the reader's own zone. Sending files is upload.js.

const dialog = document.getElementById('dialog');
const inside = document.getElementById('dialog-body');

// --- dialogs: htmx puts a sheet into #dialog-body, which opens it.

let opener = null; // what had the focus before

document.addEventListener('htmx:after:swap', () => {
  localTimes(document);
  if (!inside.childElementCount) return;
  if (dialog.open && inside.contains(document.activeElement)) return; // a part of it was renewed
  if (!dialog.open) {
    opener = document.activeElement;
    closeMenus();
    dialog.showModal();
  }
  const first = inside.querySelector('[autofocus]') ?? inside.querySelector('input:not([type=hidden]), select, button, a[href]');
  first?.focus();
});

dialog.addEventListener('close', () => {
  inside.replaceChildren();
  // A menu entry is out of sight again: its menu's button takes the focus.
  const menu = opener?.closest?.('.menu');
  (menu ? menu.querySelector('summary') : opener)?.focus();
});

dialog.addEventListener('click', (event) => {
  if (event.target === dialog) dialog.close(); // outside its content
});

// --- menus: one open at a time, closed by Escape or a click elsewhere.

function closeMenus(but) {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (menu !== but) menu.open = false;
  }
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !dialog.open) {
    const menu = document.querySelector('details.menu[open]');
    if (menu) {
      menu.open = false;
      menu.querySelector('summary').focus();
    }
  }
  const typing = event.target.closest?.('input, select, textarea, [contenteditable]');
  if (event.key === '/' && !typing && !dialog.open && !event.ctrlKey && !event.metaKey) {
    const search = document.getElementById('search-text') ?? document.getElementById('q');
    if (search) {
      event.preventDefault();
      search.select();
      search.focus();
    }
  }
});

document.addEventListener('click', (event) => {
  const target = event.target;
  closeMenus(target.closest?.('details.menu'));
  if (target.closest?.('.menu-items a[download], .menu-items [data-pick]')) closeMenus();

  const closer = target.closest?.('[data-close]');
  if (closer) {
    if (dialog.open && dialog.contains(closer)) {
      event.preventDefault();
      dialog.close();
    } else if (closer.closest('.toast')) {
      closer.closest('.toast').remove();
    }
  }

  const copier = target.closest?.('[data-copy]');
  if (copier) copy(copier);
});

// --- copying; over plain HTTP browsers keep the clipboard to themselves.

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand('copy');
  }
  const label = button.querySelector('span');
  const before = label.textContent;
  label.textContent = 'Copied';
  setTimeout(() => { label.textContent = before; }, 2000);
}

// --- times

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

function localTimes(root) {
  for (const time of root.querySelectorAll('time[data-local]')) {
    const format = time.dataset.local === 'day' ? calendar : clock;
    time.removeAttribute('data-local');
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) {
      time.title = time.textContent;
      time.textContent = format.format(at);
    }
  }
}
localTimes(document);

// --- what stands behind the # of a link was sent to nobody; tandem needs it to do without the server.

const commands = document.getElementById('commands');
if (commands && /^#(tandem:[\w-]+|magnet:\?[\w%:&=.~-]+)$/.test(location.hash)) { // nothing that a shell would read
  document.getElementById('by-tandem').value = `tandem get '${commands.dataset.link}${location.hash}'`;
}

// --- messages without a way back go by themselves.

const toast = document.querySelector('.toast');
if (toast && !toast.querySelector('form')) setTimeout(() => toast.remove(), 8000);

// --- the set-up token behind the # of the address was sent to nobody.

const setup = document.querySelector('#setup [name=token]');
if (setup && !setup.value && location.hash.length > 1) {
  setup.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, '', location.pathname);
  document.getElementById('name')?.focus();
}
