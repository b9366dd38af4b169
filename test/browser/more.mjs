// The second half of the story: links, a second person, and visitors of other kinds.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { downloaded, equal, holds, sum } from './stage.mjs';

const password = 'correct horse battery';
const team = '/c/Design%20team';

async function signIn(page, name) {
  await page.goto('/login');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Files' }).waitFor();
}

export const more = [
  ['a file is shared by a link with a password, and opened by a stranger', async (c) => {
    const page = c.ann;
    await page.goto(team);
    await page.getByLabel('Share Budget 2026.xlsx').click();
    await page.locator('dialog[open]').waitFor();
    holds(await page.getByText('Nothing is enforced').isVisible(), 'the dialog says what public means');
    await c.stage.look(page, 'share, in a dialog', 'share');
    await page.getByLabel('Password').fill('open sesame');
    await page.getByLabel('Note', { exact: true }).fill('The numbers for <b>Saturday</b>');
    await page.getByRole('button', { name: 'Create link' }).click();
    const field = page.getByLabel('Link', { exact: true });
    await field.waitFor();
    holds(await page.locator('.qr svg').isVisible(), 'there is a QR code');
    await page.getByText('has signed a capability for').waitFor();
    await c.stage.look(page, 'a link with a password, in a dialog', 'link-locked');
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('Copied').waitFor();
    c.link = await field.inputValue();
    equal(await page.evaluate(() => navigator.clipboard.readText()), c.link, 'the clipboard');

    const guest = await c.stage.person();
    await guest.goto(c.link);
    await c.stage.look(guest, 'a locked link');
    await guest.getByLabel('Password').fill('wrong');
    await guest.keyboard.press('Enter');
    await guest.getByText('That is not the password.').waitFor();
    await guest.getByLabel('Password').fill('open sesame');
    await guest.keyboard.press('Enter');
    await guest.getByRole('heading', { name: 'Budget 2026.xlsx' }).waitFor();
    await c.stage.look(guest, 'a shared file', 'shared-file');
    equal(await downloaded(guest, () => guest.getByRole('link', { name: 'Download' }).click()), sum(c.budget), 'the shared file');
    await guest.context().close();
  }],

  ['a folder is shared by a link that works without the server too', async (c) => {
    const page = c.ann;
    await page.goto(`${team}/trip`);
    await page.getByRole('link', { name: 'Share', exact: true }).click();
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Copies on other machines').fill('2');
    await c.stage.look(page, 'share, unfolded', 'share-more');
    await page.getByRole('button', { name: 'Create link' }).click();
    const field = page.getByLabel('Link', { exact: true });
    await page.waitForFunction(() => document.querySelector('#link-url')?.value.includes('#tandem:')); // asked for until it is made
    const link = await field.inputValue();
    await page.getByText('only who holds this link gets it, until').waitFor();
    await page.getByText('too few').waitFor();
    await c.stage.look(page, 'a link, in a dialog', 'link');
    await page.getByRole('button', { name: 'Copy' }).click();
    equal(await page.evaluate(() => navigator.clipboard.readText()), link, 'the clipboard');
    const guest = await c.stage.person();
    const sent = [];
    guest.on('request', (request) => sent.push(request.url() + JSON.stringify(request.headers())));
    await guest.goto(link);
    await guest.getByText('Get it by command').click();
    equal(await guest.getByLabel('tandem', { exact: true }).inputValue(), `tandem get '${link}'`, 'the command');
    equal(sent.filter((text) => text.includes('tandem:')).length, 0, 'requests that give the ticket away');
    await c.stage.look(guest, 'a shared folder', 'shared-folder');
    await guest.getByRole('link', { name: 'day one', exact: true }).click();
    await guest.getByText('harbour.txt').waitFor();
    await c.stage.look(guest, 'a folder in a shared folder');
    equal(await downloaded(guest, () => guest.getByLabel('Download harbour.txt').click()), sum('harbour'), 'harbour.txt');
    const zip = await downloaded(guest, () => guest.getByRole('link', { name: 'Download all as zip' }).click());
    holds(zip !== sum(''), 'the archive holds something');
    await guest.context().close();
  }],

  ['a stranger sends a file by a link and sees nothing else', async (c) => {
    const page = c.ann;
    await page.goto(`${team}/Photographs`);
    await page.getByRole('link', { name: 'Share', exact: true }).click();
    await page.getByText('Sending files').click();
    await page.getByRole('button', { name: 'Create link' }).click();
    const link = await page.getByLabel('Link', { exact: true }).inputValue();
    const guest = await c.stage.person();
    await guest.goto(link);
    await c.stage.look(guest, 'sending files', 'send-files');
    equal(await guest.getByText('Poster.tiff').count(), 0, 'names of others on the page');
    writeFileSync(join(c.files, 'cat.jpg'), 'a cat');
    await guest.setInputFiles('#pick-files', join(c.files, 'cat.jpg'));
    await guest.locator('#transfers-status', { hasText: '1 of 1 done' }).waitFor();
    await c.stage.look(guest, 'sent files');
    await guest.context().close();
    await page.goto(`${team}/Photographs`);
    await page.getByRole('link', { name: 'cat.jpg', exact: true }).waitFor();
  }],

  ['links are listed, and a revoked one is dead', async (c) => {
    const page = c.ann;
    await page.goto('/links');
    await c.stage.look(page, 'links', 'links');
    await page.getByLabel('Revoke the link to Design team/Budget 2026.xlsx').click();
    await page.getByText('The link is revoked').waitFor();
    const guest = await c.stage.person();
    await guest.goto(c.link);
    await guest.getByRole('heading', { name: 'This has ended' }).waitFor();
    await c.stage.look(guest, 'a dead link');
    await guest.context().close();
  }],

  ['everybody may have a file, also by BitTorrent', async (c) => {
    const page = c.ann;
    await page.goto(team);
    await page.getByLabel('Share Interview.mov').click();
    await page.getByText('Everybody, also by BitTorrent').click();
    await page.getByRole('button', { name: 'Create link' }).click();
    await page.waitForFunction(() => document.querySelector('#link-url')?.value.includes('#magnet:?'));
    await page.getByText('Nothing is enforced. Revoking').waitFor();
    await c.stage.look(page, 'a public link, in a dialog');
    const link = await page.getByLabel('Link', { exact: true }).inputValue();
    const guest = await c.stage.person();
    await guest.goto(link);
    await guest.getByRole('link', { name: 'Torrent file' }).waitFor();
    equal(await downloaded(guest, () => guest.getByRole('link', { name: 'Download' }).click()), sum(c.film), 'the public file');
    await guest.context().close();
  }],

  ['the ledger says who gave how much', async (c) => {
    const page = c.ann;
    await page.goto('/ledger');
    await page.getByRole('heading', { name: 'Ledger' }).waitFor();
    for (const by of ['By transfer', 'By person']) {
      await page.getByRole('link', { name: by }).click();
      await page.locator('[aria-current=page]', { hasText: by }).waitFor();
    }
    for (const began = Date.now(); await page.locator('.ledger tbody tr').count() === 0; await page.reload()) {
      holds(Date.now() - began < 15000, 'what was downloaded is in the ledger'); // it is written down every few seconds
      await page.waitForTimeout(300);
    }
    holds(/100 % from the server/.test(await page.locator('.bar').first().getAttribute('aria-label')), 'a browser got it all from the server');
    await c.stage.look(page, 'the ledger', 'ledger');
  }],

  ['a second person is invited and sees only what is granted', async (c) => {
    const page = c.ann;
    await page.goto('/new');
    await c.stage.look(page, 'new collection, as a page');
    await page.getByLabel('Name', { exact: true }).fill('Private');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/c/Private');
    await page.goto('/people');
    await page.getByRole('link', { name: 'Invite' }).click();
    await page.getByLabel('For', { exact: true }).fill('Bob');
    await c.stage.look(page, 'invite, in a dialog');
    await page.getByRole('button', { name: 'Create invitation' }).click();
    const invitation = await page.getByLabel('Address for the invited').inputValue();
    await c.stage.look(page, 'an invitation, in a dialog', 'invitation');

    const bob = c.bob = await c.stage.person();
    await bob.goto(invitation);
    await c.stage.look(bob, 'an invitation taken');
    await bob.getByLabel('Your name').fill('bob');
    await bob.getByLabel('Password', { exact: true }).fill(password);
    await bob.getByLabel('Password again').fill(password);
    await bob.getByRole('button', { name: 'Join' }).click();
    await bob.getByText('Nothing is shared with you yet.').waitFor();

    await page.goto('/access/Design%20team');
    await c.stage.look(page, 'access');
    await page.getByLabel('Name', { exact: true }).first().fill('bob');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('bob is in.').waitFor();
    await c.stage.look(page, 'access with a grant', 'access');

    await bob.goto('/');
    await bob.getByRole('link', { name: 'Design team' }).click();
    await bob.getByRole('link', { name: 'Budget 2026.xlsx', exact: true }).waitFor();
    equal(await bob.getByRole('link', { name: 'New folder' }).count(), 0, 'ways to change it');
    equal(await downloaded(bob, () => bob.getByLabel('Download Budget 2026.xlsx').click()), sum(c.budget), 'what bob downloads');
    for (const path of ['/c/Private', '/access/Design%20team', '/people']) {
      const answer = await bob.goto(path);
      holds(answer.status() === 404 || answer.status() === 403, `bob is kept out of ${path} (${answer.status()})`);
    }
    await c.stage.look(bob, 'an error');
  }],

  ['people, account, search and start', async (c) => {
    const page = c.ann;
    await page.goto('/people');
    await page.locator('#group-name').fill('designers');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByLabel('Add a member').fill('bob');
    await page.getByRole('button', { name: 'Add to designers' }).click();
    await page.getByText('bob is in designers.').waitFor();
    await c.stage.look(page, 'people', 'people');
    await page.getByLabel('Change bob').click();
    await page.locator('dialog[open]').waitFor();
    await c.stage.look(page, 'a person, in a dialog');
    await page.getByLabel('Space at most').fill('5 GB');
    await page.keyboard.press('Enter');
    await page.getByText('bob is changed.').waitFor();
    await page.goto('/account');
    await page.getByLabel('Name', { exact: true }).fill('backup');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByLabel('New token, shown this once').waitFor();
    await c.stage.look(page, 'account', 'account');
    await page.goto('/search');
    await page.getByLabel('Search file names').pressSequentially('harb');
    await page.getByRole('link', { name: 'harbour.txt' }).waitFor(); // as it is typed
    await c.stage.look(page, 'search', 'search');
    await page.goto('/');
    await c.stage.look(page, 'start', 'start');
  }],

  ['a long folder goes on when one scrolls', async (c) => {
    const page = c.ann;
    await page.goto('/c/Private');
    await page.evaluate(async () => {
      for (let i = 0; i < 205; i += 1) {
        const answer = await fetch(`/api/v1/collections/Private/entries/Folder ${1000 + i}`, { method: 'POST' });
        if (!answer.ok) throw new Error(`POST: ${answer.status}`);
      }
    });
    await page.reload();
    equal(await page.locator('#rows tr td.name').count(), 200, 'rows at first');
    await page.getByText('Folder 1199').scrollIntoViewIfNeeded();
    await page.getByText('Folder 1204').waitFor();
    equal(await page.locator('#rows tr td.name').count(), 205, 'rows in the end');
    equal(await page.locator('#rows .next').count(), 0, 'further pages');
    await page.getByLabel('More for Folder 1204').click(); // new rows work as the others do
    await page.locator('details.menu[open]').getByText('Rename or move').click();
    await page.locator('dialog[open]').waitFor();
  }],

  ['everything is in reach of the keyboard', async (c) => {
    const page = c.ann;
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim());
    const tabTo = async (name) => {
      for (let i = 0; i < 60; i += 1) {
        if (await focused() === name) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`no way by Tab to ${name}`);
    };
    await page.goto('/');
    await page.keyboard.press('Tab');
    equal(await focused(), 'Skip to content', 'the first stop');
    await tabTo('Design team');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${team}`);
    await tabTo('New folder');
    await page.keyboard.press('Enter');
    await page.locator('dialog[open]').waitFor();
    equal(await page.evaluate(() => document.activeElement.id), 'folder-name', 'the focus in the dialog');
    await page.keyboard.press('Escape');
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    equal(await focused(), 'New folder', 'the focus after the dialog');
    await tabTo('More for Budget 2026.xlsx');
    await page.keyboard.press('Enter');
    await page.locator('details.menu[open]').waitFor();
    await c.stage.look(page, 'a menu');
    await page.keyboard.press('Escape');
    equal(await page.locator('details.menu[open]').count(), 0, 'open menus');
    equal(await focused(), 'More for Budget 2026.xlsx', 'the focus after the menu');
    await page.keyboard.press('/');
    equal(await page.evaluate(() => document.activeElement.id), 'q', 'the focus after a slash');
  }],

  ['without JavaScript one signs in, browses, downloads and uses forms', async (c) => {
    const page = await c.stage.person({ javaScriptEnabled: false });
    await signIn(page, 'ann');
    await page.getByRole('link', { name: 'Design team' }).click();
    equal(await page.getByRole('button', { name: 'Files…' }).count(), 0, 'buttons that need JavaScript');
    await page.locator('noscript > .hint').waitFor(); // how else to upload
    equal(await downloaded(page, () => page.getByLabel('Download Interview.mov').click()), sum(c.film), 'Interview.mov');
    await page.getByRole('link', { name: 'New folder' }).click();
    await page.getByLabel('Name', { exact: true }).fill('By hand');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'By hand' }).waitFor();
    await page.goto(team);
    await page.getByLabel('More for By hand').click();
    await page.locator('details[open]').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('By hand is back.').waitFor();
    await page.getByLabel('Share Interview.mov').click();
    await page.getByRole('button', { name: 'Create link' }).click();
    const link = await page.getByLabel('Link', { exact: true }).inputValue();
    await page.goto(link);
    equal(await downloaded(page, () => page.getByRole('link', { name: 'Download' }).click()), sum(c.film), 'the shared file');
    await page.context().close();
  }],

  ['access that is taken away ends at once', async (c) => {
    const page = c.ann;
    await page.goto('/access/Design%20team');
    await page.getByLabel('Remove bob').click();
    await page.getByText('bob is out').waitFor();
    const answer = await c.bob.goto(team);
    equal(answer.status(), 404, 'what bob gets');
  }],
];
