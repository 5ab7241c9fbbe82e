// source/postgres/postgres_source.h - The databases and roles of a PostgreSQL server as a source.
//
// A capture holds, as items:
//   databases/NAME/data/SCHEMA.TABLE    rows in COPY text format, columns as the manifest names
//   them databases/NAME/large-objects.copy   (loid, pageno, data) in COPY text format; only if
//   there are databases/NAME/large-objects.sql    how they are made: owners, grants, comments
//   databases/NAME/manifest.json        tables with row counts and checksums, sequences, settings,
//                                       properties, an inventory of the catalog, LSN
//   databases/NAME/pre-data.sql, post-data.sql     by pg_dump
//   roles.json                          roles, hashes, memberships, role settings, parameter grants
// Bytes of names other than letters, digits, '_' and '-' are written %XX.
//
// All of one database is as of one exported snapshot (REPEATABLE READ); the snapshots of several
// databases are taken one right after the other, and `skew_ms` tells how far apart. COPY text is
// chosen because it is the same on every version and architecture and deduplicates row by row.
// The checksum of a table is the sum of hashtextextended(ROW(columns)::text, 0) over its rows,
// computed by the server within the snapshot: it does not depend on the order of rows.
//
// A restore goes into a running server. Each database that it makes carries its marker as the
// setting `lifeboat.marker` (ALTER DATABASE ... SET) from before its first row, and turns to `done`
// for all of them in one transaction at the end; `lifeboat.complete` lets a continued restore skip
// those that were whole. What is kept aside is renamed NAME_before_RUN and carries `lifeboat.kept`.
// Settings and the schema named lifeboat are no part of captures and fingerprints.
//
// Roles that exist are made equal to the captured ones, but for the server's first superuser and
// the one that connects; a role that the same run has given a new password (step postgres-roles
// leaves its own marker on it) keeps that password. Not captured: tablespaces (everything is
// restored into the default one), contents of foreign tables, what materialized views held (they
// are refreshed), replication slots and the server's configuration files; remarks name them.
//
// Threads: as Source; a capture and a restore use several connections of their own.
// Contract: source/source_contract.h.  Read for PostgreSQL 15.
#pragma once

#include "source/source.h"

namespace lifeboat::source {

SourceType postgres_source();

}  // namespace lifeboat::source
