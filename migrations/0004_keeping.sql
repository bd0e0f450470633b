CREATE TABLE `mark` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
ALTER TABLE `owed` ADD `emptied_at` text;--> statement-breakpoint
ALTER TABLE `person` ADD `keep_until` text;