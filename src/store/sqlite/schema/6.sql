-- The different visitors of sites: `sketch` has those of one day, as registers of HyperLogLog (see sketch.rs), and `total` is how many visitors
-- the days before had, added up. The number of the day is counted from 1970.
CREATE TABLE visitors (
    topic TEXT PRIMARY KEY,
    day INTEGER NOT NULL,
    total INTEGER NOT NULL,
    sketch BLOB NOT NULL
) STRICT;

-- How many different visitors a site had in a day that is over.
CREATE TABLE visitors_of_day (
    topic TEXT NOT NULL,
    day INTEGER NOT NULL,
    visitors INTEGER NOT NULL,
    PRIMARY KEY (topic, day)
) STRICT, WITHOUT ROWID;
