'use strict';
require('./host.js')(1);
