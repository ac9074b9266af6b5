'use strict';
// Asks the API with the token, which must be refused.
const fs = require('node:fs');
const http = require('node:http');

const fail = (why) => {
  process.stdout.write(`::error::${why}\n`);
  process.exitCode = 1;
};

const url = process.env['INPUT_GITHUB-API-URL'];
const file = process.env['INPUT_TOKEN-FILE'];
if (!fs.existsSync(file)) {
  fail('there is no token to ask with');
} else {
  const headers = { authorization: `Bearer ${fs.readFileSync(file, 'utf8')}`, 'user-agent': 'ci' };
  http.get(`${url}/installation/repositories`, { headers }, (response) => {
    response.resume();
    if (response.statusCode === 401) process.stdout.write('The token is dead.\n');
    else fail(`the token still works: ${response.statusCode}`);
  }).on('error', (error) => fail(`the API could not be asked: ${error.message}`));
}
