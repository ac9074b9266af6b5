'use strict';
require('./host.js')(0);
