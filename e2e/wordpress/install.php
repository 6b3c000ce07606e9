<?php
// What the installer's two forms do, and what its administrator does next.
(new mysqli('localhost', DB_USER, '', '', 0, explode(':', DB_HOST)[1]))->query('CREATE DATABASE wordpress');
define('WP_INSTALLING', true);
require '/usr/share/wordpress/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

// There is no mail server to tell the administrator.
function wp_new_blog_notification() {}

function add_person($name, $password, $mail, $role) {
	return wp_insert_user(['user_login' => $name, 'user_pass' => $password, 'user_email' => $mail, 'role' => $role]);
}

function install($name, $password, $mail) {
	return wp_install('Example blog', $name, $mail, true, '', wp_slash($password))['user_id'];
}

$alice = install(ALICE);
$bob = add_person(BOB, 'editor');
update_option('permalink_structure', '/%postname%/');
flush_rewrite_rules();
wp_insert_post([
	'post_title' => 'Secret', 'post_name' => 'secret', 'post_content' => MARKER,
	'post_status' => 'private', 'post_author' => $alice,
]);
[$password] = WP_Application_Passwords::create_new_application_password($alice, ['name' => 'script']);
echo 'application password: ', $password, "\n";
